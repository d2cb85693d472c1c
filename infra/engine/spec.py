"""What passes between a flow and a process of a stage's own: files in `<work>/process/`, and nothing else.

spec.json             what is to be computed, and where everything lies; no secret
rank-<n>.pid          each process, as soon as it is there
told.jsonl            lines for the terminal, and how far it is
../metrics.jsonl      metrics of steps, which outlive the process
result.json           metrics of the whole; or
error-<n>.json        why there is none: written last, by rename, by the process of that rank
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

SCHEMA = 1
SPEC, RESULT, TOLD, PIDS, ERRORS = "spec.json", "result.json", "told.jsonl", "rank-*.pid", "error-*.json"


class InputSpec(BaseModel, frozen=True):
    """One input, and where its files lie."""

    kind: str = Field(description="`module:class` of its reference")
    uri: str
    digest: str
    path: Path | None = Field(
        description="null for what lies in several places: the stage opens these by `uri`"
    )


class Spec(BaseModel):
    """What a process of a stage's own is to compute."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    schema_number: int = Field(SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    stage: str = Field(description="`module:function`")
    label: str
    key: str
    config_class: str = Field(description="`module:class`")
    config: dict[str, JsonValue]
    inputs: dict[str, InputSpec | dict[str, InputSpec]]
    output: Path
    work: Path
    home: Path
    machine: JsonValue
    parent: int = Field(description="process that started it, and without which it ends")


class Result(BaseModel, frozen=True):
    """What a stage's function returned."""

    metrics: dict[str, float]


class Failure(BaseModel, frozen=True):
    """What a stage's function raised."""

    kind: str = Field(description="class of the exception: one of infra.errors, or any other")
    message: str
    memory: bool = Field(description="whether it says that memory ran out")
    trace: str


class Told(BaseModel, frozen=True):
    """A line of `told.jsonl`: one of the two."""

    say: str | None = None
    progress: float | None = None


class Tail:
    """The lines that were added to a file since the last look. A line that is not whole yet waits for the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Who goes on after a kill finds the lines of the process before: they were shown then.
        self._read = path.stat().st_size if path.is_file() else 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """New lines, each a JSON object; what a kill cut short is left out."""
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found
