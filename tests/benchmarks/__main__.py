"""`make bench`: speed as ratios against the yardstick, repeated in one run, written to docs/BENCHMARKS.md.

It measures the newest artifacts of STILLHOUSE_HOME (run `make demo` first). The yardstick is a PyTorch BERT-base of
random weights behind transformers' `pipeline`; every runtime is a process of its own, and their rounds are interleaved.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.errors import ArtifactError, StillhouseError
from infra.record import Record
from infra.settings import get_settings
from infra.store import Store
from tasks.benchmark.config import BenchmarkConfig
from tasks.benchmark.measure import benchmark
from tasks.results.values import BenchmarkReport, read_report

REPEATS = 5
PAGE = Path(__file__).parents[2] / "docs" / "BENCHMARKS.md"
QUERY = "What is the pin number for my account?"
STAGES = {"tfidf": "fit_baseline", "teacher": "train_teacher", "student": "distill", "onnx": "export_onnx",
          "onnx_int8": "quantize", "released": "package"}  # fmt: skip


def main() -> int:
    """Measure, write the page, print where it is."""
    try:
        reports = measure(Store(get_settings()))
    except StillhouseError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    PAGE.write_text(page(reports), encoding="utf-8")
    print(PAGE)
    return 0


def measure(store: Store) -> list[BenchmarkReport]:
    """The benchmark stage's own measurement, repeated."""
    newest = newest_release(store)
    models = {name: store.folder(stage, newest[stage].key) for name, stage in STAGES.items()}
    dataset = store.folder("curate", newest["curate"].key)
    reports = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            benchmark(BenchmarkConfig(query=QUERY), models, dataset, Path(folder))
            reports.append(read_report(Path(folder), BenchmarkReport))
    return reports


def newest_release(store: Store) -> dict[str, Record]:
    """Records of the stages behind the newest benchmark. Raises ArtifactError when there is none."""
    last = next(store.records("benchmark"), None)
    if last is None:
        raise ArtifactError(
            f"{store.settings.home} has no measured run: expected one. Run `make demo` first."
        )
    found, waiting = {}, [item.uri for item in last.inputs.values()]
    by_uri = {f"artifact:{record.stage}/{record.key[:20]}": record for record in store.records()}
    while waiting:
        record = by_uri.get(waiting.pop())
        if record is not None and record.stage not in found:
            found[record.stage] = record
            waiting += [item.uri for item in record.inputs.values()]
    return found


def page(reports: Sequence[BenchmarkReport]) -> str:
    """The page: one row a model, medians over the repeats with lowest and highest."""
    first = reports[0]
    lines = [
        "# Benchmarks", "",
        f"Written by `make bench`: {len(reports)} repeats of the benchmark stage in one run, each with "
        f"{first.rounds} interleaved rounds of {first.timed} timed queries after {first.warmups} warm-ups, "
        f"every runtime in a process of its own. Machine: {first.cpu}, {first.cores} cores, {', '.join(first.cpu_flags)}. "
        f"Query: \"{first.query}\". Median over the repeats (lowest to highest).", "",
        "| model | runtime | threads | MB | x smaller | p50 ms | x faster at p50 | p95 ms | rows/s |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    return "\n".join([*lines, *(_row(timing.name, reports) for timing in first.models)]) + "\n"


def _row(name: str, reports: Sequence[BenchmarkReport]) -> str:
    timings = [report.timing(name) for report in reports]
    yardsticks = [report.timing("yardstick") for report in reports]
    faster = [own_base.p50_ms / own.p50_ms for own, own_base in zip(timings, yardsticks, strict=True)]
    smaller = yardsticks[0].size_bytes / timings[0].size_bytes
    cells = [
        name, timings[0].runtime, str(timings[0].threads), f"{timings[0].size_bytes / 1e6:.2f}", f"{smaller:.1f}",
        _spread([timing.p50_ms for timing in timings], 3), _spread(faster, 1),
        _spread([timing.p95_ms for timing in timings], 3), _spread([timing.rows_per_s for timing in timings], 0),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main())
