"""The table that a run ends with: every model's quality, size and speed side by side, and how it compares.

The yardstick is a PyTorch BERT-base of random weights: it has a latency and a size, and no accuracy.
"""

from pathlib import Path

from pydantic import Field

from tasks.evaluation.latency.speed import ratio_interval
from tasks.formats.benchmark_report import BenchmarkReport, Timing
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.report_file import read_report
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE, YARDSTICK
from tasks.formats.section import Cell, Column, Table, show
from tasks.formats.shares import Shares, quality_headings
from tasks.formats.value import Value

QUALITIES = (
    "accuracy",
    "accuracy_validation_share",
    "accuracy_argmax",
    "accuracy_in_scope",
    "auroc",
    "macro_f1",
)
INTERVAL = "latency_ratio_interval"
MODEL = Column(name="name", heading="model")
COLUMNS = (
    Column(name="macro_f1", heading="macro F1", places=4, minor=True),
    Column(name="size_mb", heading="MB", places=2),
    Column(name="p50_ms", heading="p50 ms", places=2),
    Column(name="p95_ms", heading="p95 ms", places=2, minor=True),
    Column(name="rows_per_s", heading="rows/s", places=0, minor=True),
    Column(name="latency_ratio", heading="times\nfaster"),
    Column(name="interval", heading="95%\ninterval", minor=True),
    Column(name="size_ratio", heading="times\nsmaller", places=1, minor=True),
)


class ComparisonRow(Value):
    """One model of the final table."""

    # A description is part of the schema that is promised: the flow may have other rows.
    name: str = Field(description="one of tfidf, yardstick, teacher, student, onnx, onnx_int8, released")
    accuracy: float | None = Field(
        description="share of right answers on the whole test split; null for the yardstick"
    )
    accuracy_validation_share: float | None = Field(
        description="the same with threshold and temperature for validation's own share of out-of-scope texts"
    )
    accuracy_argmax: float | None = Field(
        description="the same by argmax of the model's own logits, without any rule"
    )
    accuracy_in_scope: float | None = Field(
        description="share of right answers among in-scope rows, by argmax over in-scope classes"
    )
    auroc: float | None = Field(
        description="area under the ROC curve of the rule's score, in scope against out of scope; null without such a label"
    )
    macro_f1: float | None = Field(description="unweighted mean of the classes' F1; null for the yardstick")
    size_mb: float = Field(description="megabytes (1e6 bytes) of every file that inference needs")
    p50_ms: float = Field(description="median latency of one query, milliseconds, tokenizer included")
    p95_ms: float = Field(description="95th percentile over test texts, each timed once, tokenizer included")
    rows_per_s: float = Field(description="throughput in rows a second at the benchmark's batch size")
    latency_ratio: float = Field(description="how many times faster at p50 than the yardstick")
    latency_ratio_interval: tuple[float, float] | None = Field(
        description="95% interval of that ratio over the rounds of this run on this machine; null for too few rounds"
    )
    size_ratio: float = Field(description="how many times smaller than the yardstick")
    latency_ratio_teacher: float = Field(description="how many times faster at p50 than the teacher")
    size_ratio_teacher: float = Field(description="how many times smaller than the teacher")


def compare(evaluation: EvaluationReport, benchmark: BenchmarkReport) -> tuple[ComparisonRow, ...]:
    """The rows of the table: what one would pick instead, the yardstick, then the others as they were measured.

    Raises ArtifactError when yardstick or teacher were not measured, or a measured model was not evaluated.
    """
    yardstick, teacher = benchmark.timing(YARDSTICK), benchmark.timing(REFERENCE)
    first = {BASELINE: 0, YARDSTICK: 1}
    ordered = sorted(benchmark.models, key=lambda timing: first.get(timing.name, len(first)))
    return tuple(_row(evaluation, timing, yardstick, teacher) for timing in ordered)


def figures(evaluation: Path, benchmark: Path) -> dict[str, float]:
    """What the candidate comes to, by the table's columns, of the folders of an evaluation and of a benchmark."""
    rows = compare(read_report(evaluation, EvaluationReport), read_report(benchmark, BenchmarkReport))
    (candidate,) = (row for row in rows if row.name == CANDIDATE)
    return {
        name: value
        for name, value in candidate.model_dump(exclude={"name", INTERVAL}).items()
        if value is not None
    }


def comparison_table(rows: tuple[ComparisonRow, ...], shares: Shares | None) -> Table:
    """The rows as a table, for whoever draws it; `shares` of out-of-scope texts stand in the heads of their columns."""
    quality = [
        Column(name=name, heading=heading, places=4) for name, heading in quality_headings(shares).items()
    ]
    return Table(
        columns=(MODEL, *quality, *COLUMNS),
        rows=tuple(row.model_dump(exclude={INTERVAL}) | _ratios(row) for row in rows),
        strong=(CANDIDATE,),
        soft=(BASELINE, YARDSTICK),
    )


def two_digits(ratio: float) -> float:
    """A ratio as it is told: another run of the same models gives other digits after the second."""
    return float(f"{ratio:.2g}")


def ratio_text(ratio: float) -> str:
    """The same as text."""
    return show(two_digits(ratio))


def interval_text(interval: tuple[float, float] | None) -> str | None:
    """An interval of ratios: `150 to 210`; None where there is none, or of a model beside itself."""
    if interval is None or interval[0] == interval[1]:
        return None
    return " to ".join(map(ratio_text, interval))


def _ratios(row: ComparisonRow) -> dict[str, Cell]:
    return {
        "latency_ratio": two_digits(row.latency_ratio),
        "interval": interval_text(row.latency_ratio_interval),
    }


def _row(evaluation: EvaluationReport, timing: Timing, yardstick: Timing, teacher: Timing) -> ComparisonRow:
    scores = None if timing.name == YARDSTICK else evaluation.scores(timing.name)
    return ComparisonRow(
        **timing.model_dump(include={"name", "p50_ms", "p95_ms", "rows_per_s"}),
        **{name: getattr(scores, name) if scores else None for name in QUALITIES},
        size_mb=timing.size_bytes / 1e6,
        latency_ratio=yardstick.p50_ms / timing.p50_ms,
        latency_ratio_interval=ratio_interval(yardstick, timing),
        size_ratio=yardstick.size_bytes / timing.size_bytes,
        latency_ratio_teacher=teacher.p50_ms / timing.p50_ms,
        size_ratio_teacher=teacher.size_bytes / timing.size_bytes,
    )
