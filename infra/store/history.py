"""Step metrics kept beside an artifact, so that training curves outlive a tracking server that was down."""

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from infra.store.record import HISTORY_FILE

logger = logging.getLogger(__name__)
Point = tuple[str, float, int]
STEP = "step"
# A line, which may come from the shared store: anything may stand in it.
ROW = TypeAdapter(dict[str, int | float])


def read_history(folder: Path) -> list[Point]:
    """Step metrics kept beside an artifact, as (name, value, step); what was cut short is left out and said."""
    path = folder / HISTORY_FILE
    if not path.is_file():
        return []
    rows, whole = _rows(path)
    if not whole:
        _say_cut(path)
    return [(name, value, int(row[STEP])) for row in rows for name, value in row.items() if name != STEP]


def curves_of(history: Iterable[Point]) -> Mapping[str, list[tuple[int, float]]]:
    """Step and value of each metric; none of one that was never told."""
    curves = defaultdict(list)
    for name, value, step in history:
        curves[name].append((step, value))
    return curves


def add_history(folder: Path, values: Mapping[str, float], step: int) -> None:
    """Append the metrics of a step to those of a stage under way."""
    with (folder / HISTORY_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({STEP: step, **values}) + "\n")


def keep_history(source: Path, target: Path) -> None:
    """Move the step metrics beside the artifact; a step repeated after a kill counts once, the last time."""
    if not source.is_file():
        return
    by_step: dict[int, dict[str, float]] = {}
    rows, _ = _rows(source)  # The line that a kill cut short: its step was logged again.
    for row in rows:
        by_step.setdefault(int(row[STEP]), {}).update(row)
    target.write_text("".join(json.dumps(by_step[step]) + "\n" for step in sorted(by_step)), encoding="utf-8")


def _rows(path: Path) -> tuple[list[dict[str, float]], bool]:
    """The whole lines, and whether all were."""
    rows, whole = [], True
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = ROW.validate_json(line, strict=True)
        except ValueError:
            row = {}
        if STEP in row:
            rows.append(row)
        else:
            whole = False
    return rows, whole


@cache
def _say_cut(path: Path) -> None:
    """Once a process: a page and what it is sent to read the file each."""
    logger.warning(
        "%s has lines that are not whole: expected a JSON object each. The curves of that stage have gaps; its artifact "
        "is not touched by it. Delete the artifact's folder to have it computed again.",
        path,
    )
