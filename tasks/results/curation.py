"""What curation did, step by step: `curation.json` beside the curated rows."""

from pathlib import Path

from pydantic import Field

from infra.errors import ArtifactError
from tasks.results.values import Value

REPORT_FILE = "curation.json"


class Example(Value):
    """A row that a step dropped or changed; secrets and addresses in it are redacted, long texts cut."""

    row: int | None = Field(
        description="row number in the source, counted from 1; null where the source has none"
    )
    text: str
    label: str
    note: str = Field("", description="what it was, or which row stays in its place")


class Step(Value):
    """One step: rows in and out, and why."""

    name: str
    reason: str = Field(description="a plain sentence: which rows are dropped or changed")
    rows_in: int
    rows_out: int
    changed: int = Field(description="rows kept with another text, label or split")
    dropped: dict[str, int] = Field(
        description="rows dropped from each split; before a split is made all are train"
    )
    examples: tuple[Example, ...] = Field(description="the first rows dropped or changed, five at most")


class LabelMerge(Value):
    """Spellings that differ by case or blanks, and the commonest one, which stands for all."""

    kept: str
    merged: dict[str, int] = Field(description="other spellings and their rows")


class CurationReport(Value):
    """Everything that happened between the extracted rows and the data set."""

    rows_in: int
    rows_out: int
    splits: dict[str, int] = Field(description="rows of each split at the end")
    made_splits: tuple[str, ...] = Field(description="splits that were set aside here; the others were given")
    steps: tuple[Step, ...]
    label_merges: tuple[LabelMerge, ...]
    dropped_labels: dict[str, int] = Field(description="labels with too few rows, and their rows")
    warnings: tuple[str, ...] = Field(description="what a person should look at")


def read_curation(folder: Path) -> CurationReport:
    """Read `curation.json` of a curated data set; raises ArtifactError when it is not there."""
    path = folder / REPORT_FILE
    if not path.is_file():
        raise ArtifactError(f"{folder} has no {REPORT_FILE}: expected a curated data set. Run curate again.")
    return CurationReport.model_validate_json(path.read_text(encoding="utf-8"))
