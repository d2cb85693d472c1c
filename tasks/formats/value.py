"""A frozen value that refuses unknown fields, and how it lies in a file."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from infra.errors import ArtifactError


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Found = TypeVar("Found", bound=Value)


def write_value(path: Path, value: Value) -> None:
    """Write a value as JSON, a field a line."""
    path.write_text(value.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_value(path: Path, kind: type[Found], expected: str) -> Found:
    """Read what `write_value` wrote; raises ArtifactError when it is not there: `expected` is of its folder, and a remedy."""
    if not path.is_file():
        raise ArtifactError(f"{path.parent} has no {path.name}: expected {expected}")
    return kind.model_validate_json(path.read_bytes())
