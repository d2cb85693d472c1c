"""What texts have word for word from the training text: `report.json`."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value


class CopiedTexts(Named):
    """Texts of one origin; a run is of neighbouring tokens that stand in the training text as they are."""

    texts: int
    tokens: int
    longest: int = Field(description="tokens of the longest run")
    long_runs: float = Field(description="share of texts with a run as long as a long one, or longer")
    copied: float = Field(description="share of tokens that stand in such a run")


class MemorisationReport(Value):
    """`report.json`."""

    tokens: int = Field(description="of the training part")
    run: int = Field(description="tokens of a long run")
    origins: tuple[CopiedTexts, ...] = Field(description="who completed, then parts of the test split")


def read_memorisation(folder: Path) -> MemorisationReport:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, MemorisationReport)
