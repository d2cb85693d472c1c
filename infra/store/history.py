"""Step metrics kept beside an artifact, so that training curves outlive a tracking server that was down."""

import json
from pathlib import Path

from infra.store.record import HISTORY_FILE

Point = tuple[str, float, int]


def read_history(folder: Path) -> list[Point]:
    """Step metrics kept beside an artifact, as (name, value, step)."""
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(name, value, row["step"]) for row in rows for name, value in row.items() if name != "step"]


def keep_history(source: Path, target: Path) -> None:
    """Move the step metrics beside the artifact; a step repeated after a kill counts once, the last time."""
    if not source.is_file():
        return
    by_step: dict[int, dict[str, float]] = {}
    for line in source.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # The line that a kill cut short; its step was logged again.
        by_step.setdefault(row["step"], {}).update(row)
    target.write_text("".join(json.dumps(by_step[step]) + "\n" for step in sorted(by_step)), encoding="utf-8")
