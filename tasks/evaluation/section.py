"""What an evaluation has to show: every model's scores, the plots, and where the released one is weak."""

from pathlib import Path

from tasks.formats.evaluation_report import ClassScores, EvaluationReport
from tasks.formats.pictures import find_plots
from tasks.formats.report_file import REPORT_FILE, read_report
from tasks.formats.roles import BASELINE, CANDIDATE
from tasks.formats.section import Column, Figure, Section, Table, words
from tasks.formats.shares import quality_headings, shares_note

READS = (REPORT_FILE, "*.png", "*.svg")
SHOWN = 10  # labels and confusions that are not folded away
SCORES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "roc_auc": "ROC AUC",
    "expected_calibration_error": "calibration\nerror",
    "calibration_error_validation_share": "the same, for\nvalidation's\nshare",
    "aurc": "risk-coverage\narea",
    "accuracy_in_scope_ruled": "in scope,\nruled",
    "out_of_scope_recall": "out-of-scope\nrecall",
}
CLASSES = (
    Column(name="label", heading="label"),
    Column(name="support", heading="rows"),
    Column(name="precision", heading="precision", places=3),
    Column(name="recall", heading="recall", places=3),
    Column(name="f1", heading="F1", places=3, meter=True),
)
CONFUSIONS = (
    Column(name="actual", heading="actual"),
    Column(name="predicted", heading="answered"),
    Column(name="count", heading="rows"),
)


def evaluation_section(folder: Path) -> Section:
    """Figures of the test split."""
    report = read_report(folder, EvaluationReport)
    weakest = sorted(report.per_class, key=lambda scores: (scores.f1, scores.label))
    confusions = tuple(confusion.model_dump() for confusion in report.confusions[:SHOWN])
    scope = f"; {report.out_of_scope} is out of scope" if report.out_of_scope else ""
    tables = (
        _scores(report),
        _classes(f"Weakest labels of {CANDIDATE}", weakest[:SHOWN]).model_copy(update={"narrow": True}),
        Table(title="Commonest confusions", columns=CONFUSIONS, rows=confusions, narrow=True),
        _classes(f"All {len(weakest)} labels, weakest first", weakest).model_copy(update={"folded": True}),
    )
    return Section(
        title="Evaluation",
        lines=(f"{report.test_rows:,} test rows, {len(report.labels)} labels{scope}.",),
        tables=tables,
        notes=(
            *((shares_note(report.shares),) if report.shares else ()),
            "Calibration error: expected, over equal bins of the largest probability.",
        ),
        figures=tuple(Figure(title=words(path.stem), picture=path) for path in find_plots(folder)),
    )


def _scores(report: EvaluationReport) -> Table:
    """A row a model; figures that no model has (out-of-scope ones, without such a label) have no column."""
    rows = tuple(model.model_dump() for model in report.models)
    columns = [
        Column(name=name, heading=heading, places=4)
        for name, heading in (quality_headings(report.shares) | SCORES).items()
        if any(row[name] is not None for row in rows)
    ]
    return Table(
        columns=(Column(name="name", heading="model"), *columns),
        rows=rows,
        strong=(CANDIDATE,),
        soft=(BASELINE,),
    )


def _classes(title: str, scores: list[ClassScores]) -> Table:
    return Table(title=title, columns=CLASSES, rows=tuple(one.model_dump() for one in scores))
