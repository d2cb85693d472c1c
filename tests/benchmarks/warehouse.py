"""How fast BigQuery's rows come out, and in how much memory: the Storage Read API beside REST, by the real clients.

    python -m tests.benchmarks.warehouse            200,000 rows (180 MB), into docs/WAREHOUSE.md
    python -m tests.benchmarks.warehouse --quick    20,000 rows, to see that it works; the page goes to the home

The server is the tests' own, on this machine. It makes each page and message once, before the clock runs, so what is
measured is what the protocols cost their reader: JSON cells against Arrow. A network only adds to both.
"""

import argparse
import platform
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.settings import get_settings
from tasks.evaluation.latency.machine import cpu_facts, usable_cores
from tests.benchmarks.page import ratios, spread, table
from tests.fakes.bigquery_process import bigquery_process
from tests.infra.warehouse.extract_process import Extracted, finished, started

PAGE = Path(__file__).parents[2] / "docs" / "WAREHOUSE.md"
ONE, SEVERAL, REST = "Storage Read, one stream (ORDER BY)", "Storage Read, up to four streams", "REST"
WAYS = {ONE: ("storage", "ORDER BY id"), SEVERAL: ("storage", ""), REST: ("rest", "ORDER BY id")}
SQL = "SELECT text, label, id AS row FROM big"
PHRASE, PHRASES, VOCABULARY = 90, 5_000, 2_000  # characters; of which texts are made
TEXT = 900  # characters a row
EACH = 10_000
WANTED = 5.0  # times REST


@dataclass(frozen=True)
class Asked:
    """How much is measured: `rows` of 0.9 KB, `repeat` times each way."""

    rows: int
    repeat: int


@dataclass(frozen=True)
class Measured:
    """All rounds of one way out. `parquet`: the rows were written, and not only taken."""

    way: str
    parquet: bool
    rounds: tuple[Extracted, ...]

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of each round."""
        return tuple(run.seconds for run in self.rounds)


def write_table(path: Path, rows: int) -> None:
    """A table of `rows` rows of 0.9 KB: words, each text another, and a label."""
    dice = random.Random(0)
    words = ["".join(dice.choices("etaoinshrdlu", k=dice.randint(2, 9))) for _ in range(VOCABULARY)]
    phrases = [" ".join(dice.choices(words, k=PHRASE // 3))[: PHRASE - 1] for _ in range(PHRASES)]
    schema = pa.schema([("id", pa.int64()), ("text", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, EACH):
            ids = range(start, min(start + EACH, rows))
            texts = [" ".join([f"{i:08d}", *dice.choices(phrases, k=TEXT // PHRASE)]) for i in ids]
            labels = [f"label {i % 150}" for i in ids]
            writer.write_table(pa.table({"id": ids, "text": texts, "label": labels}, schema))


def measure(asked: Asked) -> list[Measured]:
    """Every way out in a process of its own, by turns, so that a busy minute falls on all."""
    cases = list(product(WAYS, (False, True)))
    rounds: dict[tuple[str, bool], list[Extracted]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory(prefix="warehouse-benchmark-") as name:
        folder = Path(name)
        write_table(folder / "big.parquet", asked.rows)
        with bigquery_process({"big": folder / "big.parquet"}) as settings:
            for number in range(asked.repeat + 1):
                for way, parquet in cases:
                    if number == 0 and parquet:
                        continue  # The first round makes the server's pages and messages, and does not count.
                    read, order = WAYS[way]
                    output = folder / f"{number} {way}" if parquet else None
                    to_server = {**settings, "STILLHOUSE_BIGQUERY_READ": read}
                    found = finished(started(f"{SQL} {order}", to_server, folder, output))
                    assert found.rows == asked.rows
                    if number:
                        rounds[way, parquet].append(found)
    return [Measured(*case, tuple(found)) for case, found in rounds.items()]


def page(asked: Asked, found: Sequence[Measured], cpu: str, cores: int) -> str:
    """The whole page."""
    size = max(run.bytes for case in found if not case.parquet for run in case.rounds) / 1e6
    taken = {way: _times_rest(found, way, False) for way in (ONE, SEVERAL)}
    written = {way: _times_rest(found, way, True) for way in (ONE, SEVERAL)}
    reached = min(map(statistics.median, taken.values())) >= WANTED
    return "\n\n".join([
        "# BigQuery's rows: the Storage Read API beside REST",
        f"Written by `python -m tests.benchmarks.warehouse`: {asked.rows:,} rows ({size:.0f} MB as Arrow), each way "
        f"{asked.repeat} times by turns, each time in a process of its own; medians, with the lowest and the highest. Google's "
        "own clients speak to the tests' server on this machine over HTTP and gRPC. REST's pages are compressed JSON of 5,000 "
        "rows, Storage Read's messages LZ4 Arrow of about 1 MB. The query has been planned, and pages and messages have been "
        "made, before the clock runs, so that what is measured is the reader: where the client's CPU is near the time taken, "
        "the reader is what takes it, and the rest is waiting for the server, which shares the machine. A network adds to "
        "both. "
        f"Machine: {cpu}, {cores} cores, Python {platform.python_version()}.",
        f"Storage Read reads {'at least' if reached else '**less than**'} {WANTED:.0f} times as many rows a second as REST, "
        f"{_said(taken)}. Written to zstd parquet, which costs the same on every way, it is {_said(written)}.",
        "## Rows taken",
        _rows_table(found, False),
        "## Rows written: the extract stage's way into parquet",
        _rows_table(found, True),
        "## Memory",
        "Of the client's process alone, in MB: with everything imported, and the peak of the whole process.",
        _memory_table(found),
    ]) + "\n"  # fmt: skip


def _said(times: Mapping[str, Sequence[float]]) -> str:
    return " and ".join(f"{spread(tuple(values), 1)} times ({way})" for way, values in times.items())


def _rows_table(found: Sequence[Measured], parquet: bool) -> str:
    head = ["way out", "seconds", "rows/s", "client's CPU, seconds"]
    cells = [
        [case.way, spread(case.seconds, 2), f"{statistics.median(run.rows / run.seconds for run in case.rounds):,.0f}",
         spread(tuple(run.cpu_seconds for run in case.rounds), 2)]
        for case in found if case.parquet == parquet
    ]  # fmt: skip
    return table(head, cells)


def _memory_table(found: Sequence[Measured]) -> str:
    head = ["way out", "rows", "with imports", "peak"]
    cells = [
        [case.way, "written" if case.parquet else "taken", spread(tuple(run.before_mb for run in case.rounds), 0),
         spread(tuple(run.peak_mb for run in case.rounds), 0)]
        for case in found
    ]  # fmt: skip
    return table(head, cells, left=(0, 1))


def _times_rest(found: Sequence[Measured], way: str, parquet: bool) -> tuple[float, ...]:
    by_name = {(case.way, case.parquet): case.seconds for case in found}
    return tuple(ratios(by_name[REST, parquet], by_name[way, parquet]))


def main(arguments: Sequence[str]) -> int:
    """Measure, write the page, print where it is."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.warehouse",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few rows and rounds, figures of no worth")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--page", type=Path, help="where the page is written; default: docs/WAREHOUSE.md")
    given = parser.parse_args(arguments)
    usual = Asked(20_000, 1) if given.quick else Asked(200_000, 5)
    asked = Asked(given.rows or usual.rows, given.repeat or usual.repeat)
    kept = get_settings().work / "bench"
    target = given.page or (kept / PAGE.name if given.quick else PAGE)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(asked, measure(asked), cpu_facts()[0], usable_cores()), encoding="utf-8")
    print(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
