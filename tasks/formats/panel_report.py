"""Encoders by a panel of labelled sets, after the same fine-tuning: `report.json`."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value


class PanelRow(Named):
    """One encoder."""

    score: float = Field(description="mean accuracy over the sets, each counting alike, 0 to 1")
    sets: dict[str, float] = Field(description="accuracy on each, mean of the seeds")
    seeds: int
    retained: float = Field(description="of the teacher's score, a share")
    keeps: float = Field(
        description="the largest share of the teacher's score that the interval says it keeps, 0 where none"
    )
    over_undistilled: float | None = Field(
        None, description="difference of score to the undistilled student's"
    )
    interval: tuple[float, float] | None = Field(
        None, description="of this difference, over draws of labels and test rows; null from one seed"
    )


class PanelReport(Value):
    """`report.json`: the teacher first."""

    confidence: float
    test_rows: dict[str, int] = Field(description="of each set")
    labels: dict[str, int] = Field(description="labelled rows that each classifier learned from, by set")
    rows: tuple[PanelRow, ...]


def read_panel(folder: Path) -> PanelReport:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, PanelReport)
