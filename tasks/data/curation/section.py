"""What curation has to show: each step with what it took, examples of it, and what a person should look at."""

from collections.abc import Sequence
from pathlib import Path

from tasks.formats.curation_report import CurationReport, FilterSummary, read_curation
from tasks.formats.section import Column, Section, Table, words

COLUMNS = (
    Column(name="step", heading="step"),
    Column(name="reason", heading="which rows", minor=True),
    Column(name="rows_in", heading="in"),
    Column(name="rows_out", heading="out"),
    Column(name="dropped", heading="dropped"),
    Column(name="changed", heading="changed"),
)
EXAMPLES = (
    Column(name="step", heading="step"),
    Column(name="row", heading="row"),
    Column(name="text", heading="text"),
    Column(name="label", heading="label"),
    Column(name="note", heading=""),
)


def curation_section(folder: Path) -> Section:
    """Rows of text, or files of code: the report is the same."""
    report = read_curation(folder)
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items())
    return Section(
        title="Data set",
        lines=(f"{report.rows_in:,} rows came in, {report.rows_out:,} went out: {splits}.",),
        warnings=report.warnings,
        tables=tuple(table for table in (steps_table(report.steps), *_folded(report)) if table.rows),
    )


def steps_table(steps: Sequence[FilterSummary]) -> Table:
    """Rows in and out of each step."""
    rows = [
        step.model_dump(include={"reason", "rows_in", "rows_out"})
        | {
            "step": words(step.name),
            "dropped": step.rows_in - step.rows_out or None,
            "changed": step.changed or None,
        }
        for step in steps
    ]
    return Table(columns=COLUMNS, rows=tuple(rows))


def _folded(report: CurationReport) -> tuple[Table, Table, Table]:
    examples = [
        example.model_dump()
        | {"step": words(step.name), "row": str(example.row) if example.row is not None else ""}
        for step in report.steps
        for example in step.examples
    ]
    spellings = [
        {"label": merge.kept, "spelling": spelling, "rows": count}
        for merge in report.label_merges
        for spelling, count in merge.merged.items()
    ]
    rare = [{"label": label, "rows": count} for label, count in report.dropped_labels.items()]
    label, rows = Column(name="label", heading="label"), Column(name="rows", heading="rows")
    spelling = Column(name="spelling", heading="another spelling")
    return (
        Table(title="Rows that were dropped or changed, the first of each step", columns=EXAMPLES,
              rows=tuple(examples), folded=True),
        Table(title=f"{len(spellings)} spellings of labels that were merged", columns=(label, spelling, rows),
              rows=tuple(spellings), folded=True),
        Table(title=f"{len(rare)} labels with too few rows", columns=(label, rows), rows=tuple(rare), folded=True),
    )  # fmt: skip
