"""Encoders beside each other by the classifiers that they make: `report.json` of the comparison."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value


class ComparedEncoder(Named):
    """One encoder at one number of labels; the first of the report is what the others are compared with."""

    labels: int = Field(description="labelled rows that each classifier learned from")
    accuracy: float = Field(description="mean over the seeds, 0 to 1")
    lowest: float = Field(description="of the seeds")
    highest: float = Field(description="of the seeds")
    difference: float = Field(description="of accuracy to the first encoder's, at the same rows")
    interval: tuple[float, float] = Field(description="of the difference, over draws of labels and test rows")
    choice: str = Field(description="what was chosen most often inside the labelled rows")

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies above the first encoder."""
        return self.interval[0] > 0

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies below it."""
        return self.interval[1] < 0


class Recommendation(Value):
    """Which encoder to take for so many labels."""

    labels: int
    take: str
    because: str


class EncoderComparison(Value):
    """`report.json`."""

    test_rows: int
    seeds: int
    confidence: float = Field(description="of all intervals of one number of labels together")
    encoders: tuple[ComparedEncoder, ...]
    recommended: tuple[Recommendation, ...]


def read_comparison(folder: Path) -> EncoderComparison:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, EncoderComparison)
