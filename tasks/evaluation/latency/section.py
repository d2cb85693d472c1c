"""What a benchmark has to show: every runtime's latency, throughput and bytes, and how they were measured."""

from pathlib import Path

from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.report_file import REPORT_FILE, read_report
from tasks.formats.roles import BASELINE, CANDIDATE, YARDSTICK
from tasks.formats.section import Column, Section, Table

READS = (REPORT_FILE,)
COLUMNS = (
    Column(name="name", heading="model"),
    Column(name="runtime", heading="runtime"),
    Column(name="threads", heading="threads"),
    Column(name="p50_ms", heading="query,\np50 ms", places=3),
    Column(name="text_p50_ms", heading="texts,\np50 ms", places=3),
    Column(name="p95_ms", heading="texts,\np95 ms", places=3),
    Column(name="p99_ms", heading="texts,\np99 ms", places=3),
    Column(name="rows_per_s", heading="rows/s", places=0),
    Column(name="size_bytes", heading="bytes"),
)


def benchmark_section(folder: Path) -> Section:
    """Timings as measured, side by side."""
    report = read_report(folder, BenchmarkReport)
    flags = ", ".join(report.cpu_flags) or "no vector extension that matters"
    how = (
        f"Query “{report.query}”, {report.warmups} warm-up calls, {report.timed} timed calls in each of {report.rounds} "
        f"rounds, interleaved, each runtime in a process of its own; quantiles over "
        f"{report.texts} test texts, once each; rows/s at batch {report.batch_size}. {report.cpu}, "
        f"{report.cores} cores, {flags}."
    )
    rows = tuple(timing.model_dump(exclude={"round_p50_ms"}) for timing in report.models)
    table = Table(columns=COLUMNS, rows=rows, strong=(CANDIDATE,), soft=(BASELINE, YARDSTICK))
    return Section(title="Speed", tables=(table,), notes=(how,))
