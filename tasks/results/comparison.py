"""The table that a run ends with: every model's quality, size and speed side by side, and how it compares.

The yardstick is a PyTorch BERT-base of random weights: it has a latency and a size, and no accuracy.
"""

from pydantic import Field

from tasks.results.values import BenchmarkReport, EvaluationReport, Timing, Value

ROWS = ("tfidf", "yardstick", "teacher", "student", "onnx", "onnx_int8", "released")
YARDSTICK, TEACHER = "yardstick", "teacher"


class ComparisonRow(Value):
    """One model of the final table."""

    name: str = Field(description=f"one of {', '.join(ROWS)}")
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
    """The rows of the table in their fixed order; a model that was not measured has none.

    Raises ArtifactError when yardstick or teacher were not measured, or a measured model was not evaluated.
    """
    measured = {timing.name for timing in benchmark.models}
    yardstick, teacher = benchmark.timing(YARDSTICK), benchmark.timing(TEACHER)
    return tuple(
        _row(evaluation, benchmark.timing(name), yardstick, teacher) for name in ROWS if name in measured
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
