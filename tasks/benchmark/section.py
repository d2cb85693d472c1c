"""What a benchmark has to show: every runtime's latency, throughput and bytes, and how they were measured."""

from pathlib import Path

from tasks.results.roles import BASELINE, CANDIDATE, YARDSTICK
from tasks.results.section import Column, Section, Table
from tasks.results.values import REPORT_FILE, BenchmarkReport, read_report

READS = (REPORT_FILE,)
COLUMNS = (
    Column(name="name", heading="model"),
    Column(name="runtime", heading="runtime"),
    Column(name="threads", heading="threads"),
    Column(name="p50_ms", heading="p50 ms", places=3),
    Column(name="p95_ms", heading="p95 ms", places=3),
    Column(name="p99_ms", heading="p99 ms", places=3),
    Column(name="rows_per_s", heading="rows/s", places=0),
    Column(name="size_bytes", heading="bytes"),
)


def benchmark_section(folder: Path) -> Section:
    """Timings as measured, side by side."""
    report = read_report(folder, BenchmarkReport)
    flags = ", ".join(report.cpu_flags) or "no vector extension that matters"
    how = (
        f"Query “{report.query}”, {report.warmups} warm-up calls, {report.timed} timed calls in each of {report.rounds} "
        f"rounds, interleaved, each runtime in a process of its own; rows/s at batch {report.batch_size}. {report.cpu}, "
        f"{report.cores} cores, {flags}."
    )
    rows = tuple(timing.model_dump(exclude={"round_p50_ms"}) for timing in report.models)
    table = Table(columns=COLUMNS, rows=rows, strong=(CANDIDATE,), soft=(BASELINE, YARDSTICK))
    return Section(title="Speed", tables=(table,), notes=(how,))
