"""One call of a stage: what Prefect's task gets, a single value that any of its task runners can carry elsewhere."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from infra.engine.stage import Stage
from infra.errors import NotStarted
from infra.files import file_lock

SLOT_SECONDS = 0.2  # between two looks for a free slot


@dataclass(frozen=True)
class RunIds:
    """By what another process of the same flow run takes part in it."""

    name: str
    session: str
    flow_run_id: str | None
    mlflow_run_id: str | None
    full_verify: bool


@dataclass(frozen=True)
class Group:
    """Calls that run at once: a folder by which they know of each other, in whatever thread or process each is."""

    folder: Path
    trainings: int

    def note(self, place: int, outcome: Mapping[str, Any]) -> None:
        """Keep the fields of a stage's outcome for who called the group: a line, written at once."""
        line = NotedOutcome(place=place, outcome=dict(outcome)).model_dump_json() + "\n"
        file = os.open(self.folder / "outcomes.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def noted(self) -> dict[int, dict[str, Any]]:
        """The outcomes, by the place of the call among those asked for."""
        try:
            lines = (self.folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        found = (NotedOutcome.model_validate_json(line) for line in lines)
        return {noted.place: noted.outcome for noted in found}

    def stop(self, label: str) -> None:
        """Nothing more is to start: `label` failed."""
        (self.folder / "stopped").write_text(label, encoding="utf-8")

    def go_on(self, label: str) -> None:
        """Raises NotStarted when another call failed before."""
        try:
            failed = (self.folder / "stopped").read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        raise NotStarted(f"{label} was not started: {failed} failed before.")

    @contextmanager
    def training(self, label: str) -> Iterator[None]:
        """One of the group's slots for what computes in a process of its own. Raises NotStarted as `go_on`, while waiting."""
        slots = [file_lock(self.folder / f"slot-{number}") for number in range(self.trainings)]
        self.go_on(label)
        while (held := next(filter(_taken, slots), None)) is None:
            time.sleep(SLOT_SECONDS)
            self.go_on(label)
        try:
            yield
        finally:
            held.release()


def _taken(slot: FileLock) -> bool:
    with suppress(Timeout):
        slot.acquire(blocking=False)
    return slot.is_locked


class NotedOutcome(BaseModel, frozen=True):
    """A line of a group's outcomes."""

    place: int
    outcome: dict[str, Any]


@dataclass(frozen=True)
class StageCall:
    """A stage, what it is called with, and the run that it belongs to. Futures among the inputs are resolved by Prefect."""

    stage: Stage[..., Any]
    config: BaseModel
    inputs: Mapping[str, Any]
    run: RunIds
    group: Group | None = None
    place: int = 0
