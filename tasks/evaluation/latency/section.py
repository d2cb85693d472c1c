"""What a benchmark has to show: every runtime's latency, throughput and bytes, and how they were measured."""

from pathlib import Path

from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.bodies_report import BodyTiming, read_bodies
from tasks.formats.report_file import REPORT_FILE, read_report
from tasks.formats.roles import BASELINE, CANDIDATE, YARDSTICK
from tasks.formats.section import Cell, Column, Section, Table

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


def bodies_section(folder: Path) -> Section:
    """Sizes and latencies of encoders without their heads, beside the one that they are compared with."""
    report = read_bodies(folder)
    sizes = [latency.batch_size for latency in report.models[0].latencies]
    columns = (
        Column(name="name", heading="model"),
        Column(name="layers", heading="layers"),
        Column(name="parameters", heading="parameters"),
        Column(name="layer_parameters", heading="of the layers"),
        Column(name="weight_bytes", heading="bytes", minor=True),
        *(Column(name=f"ms_{size}", heading=f"batch {size},\nms", places=2) for size in sizes),
        *(Column(name=f"faster_{size}", heading=f"batch {size},\nfaster (95%)") for size in sizes),
    )
    how = (
        f"The encoder alone, in float32, over {report.tokens} tokens a row, on {report.threads} threads: {report.rounds} "
        f"rounds, interleaved, each model in a process of its own. {report.cpu}, {report.cores} cores."
    )
    table = Table(columns=columns, rows=tuple(map(_row, report.models)), soft=(report.reference,))
    return Section(title="Speed of the bodies", tables=(table,), notes=(how,))


def _row(timing: BodyTiming) -> dict[str, Cell]:
    row: dict[str, Cell] = timing.model_dump(
        include={"name", "layers", "parameters", "layer_parameters", "weight_bytes"}
    )
    for latency in timing.latencies:
        row[f"ms_{latency.batch_size}"] = latency.latency_ms
        if latency.speedup_interval:
            low, high = latency.speedup_interval
            row[f"faster_{latency.batch_size}"] = f"{latency.speedup:.2f}x ({low:.2f} to {high:.2f})"
    return row
