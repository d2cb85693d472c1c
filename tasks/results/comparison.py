"""The table that a run ends with: every model's quality, size and speed side by side, and how it compares.

The yardstick is a PyTorch BERT-base of random weights: it has a latency and a size, and no accuracy.
"""

from pydantic import Field

from tasks.results.roles import BASELINE, CANDIDATE, REFERENCE, YARDSTICK
from tasks.results.section import Column, Table
from tasks.results.values import BenchmarkReport, EvaluationReport, Timing, Value

COLUMNS = (
    Column(name="name", heading="model"),
    Column(name="accuracy", heading="accuracy", places=4),
    Column(name="macro_f1", heading="macro F1", places=4),
    Column(name="size_mb", heading="MB", places=2),
    Column(name="p50_ms", heading="p50 ms", places=2),
    Column(name="p95_ms", heading="p95 ms", places=2, minor=True),
    Column(name="rows_per_s", heading="rows/s", places=0),
    Column(name="latency_ratio", heading="x faster\nBERT-base", places=1),
    Column(name="size_ratio", heading="x smaller\nBERT-base", places=1),
    Column(name="latency_ratio_teacher", heading="x faster\nteacher", places=1, minor=True),
    Column(name="size_ratio_teacher", heading="x smaller\nteacher", places=1, minor=True),
)


class ComparisonRow(Value):
    """One model of the final table."""

    # A description is part of the schema that is promised: the flow may have other rows.
    name: str = Field(description="one of tfidf, yardstick, teacher, student, onnx, onnx_int8, released")
    accuracy: float | None = Field(
        description="share of right answers on the whole test split; null for the yardstick"
    )
    macro_f1: float | None = Field(description="unweighted mean of the classes' F1; null for the yardstick")
    size_mb: float = Field(description="megabytes (1e6 bytes) of every file that inference needs")
    p50_ms: float = Field(description="median latency of one query, milliseconds, tokenizer included")
    p95_ms: float = Field(description="95th percentile of the same")
    rows_per_s: float = Field(description="throughput in rows a second at the benchmark's batch size")
    latency_ratio: float = Field(description="how many times faster at p50 than the yardstick")
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


def comparison_table(rows: tuple[ComparisonRow, ...]) -> Table:
    """The rows as a table, for whoever draws it."""
    return Table(
        columns=COLUMNS,
        rows=tuple(row.model_dump() for row in rows),
        strong=(CANDIDATE,),
        soft=(BASELINE, YARDSTICK),
    )


def _row(evaluation: EvaluationReport, timing: Timing, yardstick: Timing, teacher: Timing) -> ComparisonRow:
    scores = None if timing.name == YARDSTICK else evaluation.scores(timing.name)
    return ComparisonRow(
        name=timing.name,
        accuracy=scores.accuracy if scores else None,
        macro_f1=scores.macro_f1 if scores else None,
        size_mb=timing.size_bytes / 1e6,
        p50_ms=timing.p50_ms,
        p95_ms=timing.p95_ms,
        rows_per_s=timing.rows_per_s,
        latency_ratio=yardstick.p50_ms / timing.p50_ms,
        size_ratio=yardstick.size_bytes / timing.size_bytes,
        latency_ratio_teacher=teacher.p50_ms / timing.p50_ms,
        size_ratio_teacher=teacher.size_bytes / timing.size_bytes,
    )
