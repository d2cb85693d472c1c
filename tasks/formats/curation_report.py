"""What curation did, step by step: `curation.json` beside the curated rows."""

from pathlib import Path

from pydantic import Field

from tasks.formats.value import Value, read_value

REPORT_FILE = "curation.json"


class Example(Value):
    """A row that a step dropped or changed; secrets and addresses in it are redacted, long texts cut."""

    row: int | None = Field(
        description="row number in the source, counted from 1; null where the source has none"
    )
    text: str
    label: str
    note: str = Field("", description="what it was, or which row stays in its place")


class FilterSummary(Value):
    """One step of curation."""

    name: str
    reason: str = Field(description="which rows are dropped or changed")
    rows_in: int
    rows_out: int
    changed: int = Field(description="rows kept with another text, label or split")


class Step(FilterSummary):
    """One step with its evidence. Its `reason` is a plain sentence."""

    dropped: dict[str, int] = Field(
        {}, description="rows dropped from each split; before a split is made all are train"
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
    label_merges: tuple[LabelMerge, ...] = ()
    dropped_labels: dict[str, int] = Field({}, description="labels with too few rows, and their rows")
    warnings: tuple[str, ...] = Field(description="what a person should look at")

    def metrics(self) -> dict[str, float]:
        """Rows before and after, in each split, and dropped or changed by each step, as flat names."""
        counts = {"rows_in": self.rows_in, "rows_out": self.rows_out}
        counts |= {f"{split}_rows": count for split, count in self.splits.items()}
        counts |= {
            f"{step.name}_dropped": step.rows_in - step.rows_out for step in self.steps if step.dropped
        }
        counts |= {f"{step.name}_changed": step.changed for step in self.steps if step.changed}
        return {name: float(count) for name, count in counts.items()}


def read_curation(folder: Path) -> CurationReport:
    """Read `curation.json` of a curated data set; raises ArtifactError when it is not there."""
    return read_value(folder / REPORT_FILE, CurationReport, "a curated data set. Run curate again.")
