"""How a measured value lies in its artifact: report.json."""

from pathlib import Path
from typing import TypeVar

from pydantic import Field

from infra.errors import ArtifactError
from tasks.formats.value import Found, Value, read_value, write_value

REPORT_FILE = "report.json"


class Named(Value):
    """What a report says of one model."""

    name: str = Field(description="what the flow calls the model, or yardstick")


Item = TypeVar("Item", bound=Named)


def read_report(folder: Path, kind: type[Found]) -> Found:
    """Read `report.json` of an artifact as `kind`; raises ArtifactError when it is not there."""
    return read_value(folder / REPORT_FILE, kind, f"a {kind.__name__}. Run the stage again.")


def write_report(folder: Path, report: Value) -> None:
    """Write `report.json` of an artifact."""
    write_value(folder / REPORT_FILE, report)


def named(items: tuple[Item, ...], name: str) -> Item:
    """The one of this name; raises ArtifactError when it was not measured."""
    for item in items:
        if item.name == name:
            return item
    raise ArtifactError(
        f"no model named {name!r} in the report: found {[item.name for item in items]}. Measure it first."
    )
