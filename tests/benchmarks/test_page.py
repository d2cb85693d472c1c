from pathlib import Path

import pytest

from tasks.benchmark.limit import Machine, limit_of
from tasks.benchmark.protocol import Setting
from tasks.benchmark.side_by_side import Figures, Measured, SideBySide
from tasks.benchmark.work import Work
from tests.benchmarks.contenders import INSTEAD, OURS
from tests.benchmarks.page import Floor, page, ratios, spread, table
from tests.benchmarks.rows import Contender


def measured(name: str, size: int, best: Figures, one: Figures, padded: Figures = ()) -> Measured:
    return Measured(
        name=name,
        runtime="onnxruntime 1",
        size_bytes=size,
        best=Setting(threads=2, spinning=True),
        best_ms=best,
        one_thread_ms=one,
        padded_rows_per_s=padded,
        dynamic_rows_per_s=(20.0, 10.0, 30.0),
        bucketed_rows_per_s=(40.0, 50.0, 60.0),
    )


@pytest.fixture
def lines() -> list[str]:
    machine = Machine(
        memory_bytes_per_s=1e9, cache_bytes_per_s=4e9, int8_per_s=1e11, int8_at_query_per_s=1e10
    )
    work = Work(weight_bytes=400_000, multiply_adds=2_000_000)
    found = SideBySide(
        query="a query",
        warmups=1,
        timed=5,
        rounds=3,
        batch_size=32,
        texts=10,
        cpu="a processor",
        cpu_flags=("avx2",),
        cores=2,
        models=(
            measured("yardstick", 400_000_000, (40.0, 50.0, 60.0), (80.0, 90.0, 70.0), (1.0, 1.0, 1.0)),
            measured("tfidf", 2_000_000, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
            measured("released", 4_000_000, (0.4, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ),
    )
    rows = [
        Contender("tfidf", INSTEAD, "terms", Path(), 0.92),
        Contender("released", OURS, "the release", Path(), 0.91),
    ]
    floor = Floor("released", 11, work, machine, limit_of(work, machine))
    return page(found, rows, [floor], ["fasttext: not installed"]).splitlines()


def cells(lines: list[str], start: str, nth: int = 0) -> list[str]:
    """Cells of the nth line that starts with a name."""
    return [
        cell.strip()
        for cell in [line for line in lines if line.startswith(f"| {start} ")][nth].split("|")[1:-1]
    ]


def test_ratios_are_taken_round_by_round_and_shown_with_their_spread(lines: list[str]) -> None:
    row = cells(lines, "released")
    assert row[:5] == ["released", "0.9100", "4.00", "100.0", "2, spinning"]
    assert row[5] == "0.500 (0.400 to 0.500)"
    assert row[6] == "100.0 (100.0 to 120.0)"  # 40 / 0.4, 50 / 0.5, 60 / 0.5
    assert row[8] == "160.0 (140.0 to 180.0)"


def test_where_the_release_is_behind_is_bold(lines: list[str]) -> None:
    assert cells(lines, "tfidf", 1) == [
        "tfidf", "**-1.00**", "2.00 (2.00 to 2.50)", "2.00 (2.00 to 2.00)", "**0.50**",
    ]  # fmt: skip


def test_throughput_is_given_against_three_baselines(lines: list[str]) -> None:
    assert cells(lines, "released", 1)[1:] == ["20 (10 to 30)", "50 (40 to 60)", "50", "2.5", "1.0"]
    assert "1.00 (1.00 to 1.00)" in cells(lines, "yardstick, padded to 512")


def test_the_limit_that_binds_is_the_larger_one(lines: list[str]) -> None:
    # 0.4 MB at 1 and 4 GB/s; 2 M multiply-adds at 100 and 10 G/s; 0.5 ms seen against 0.2 at the query's rows.
    assert cells(lines, "released", 2)[1:] == [
        "0.40", "2.00", "0.400", "0.100", "0.020", "0.200", "0.500", "2.5",
    ]  # fmt: skip


def test_what_could_not_be_measured_is_said(lines: list[str]) -> None:
    assert "Not measured: fasttext: not installed" in lines


def test_small_parts() -> None:
    assert ratios((4.0, 9.0), (2.0, 3.0)) == (2.0, 3.0)
    assert spread((3.0, 1.0, 2.0), 1) == "2.0 (1.0 to 3.0)"
    assert table(["a", "b"], [["1", "2"]]).splitlines() == ["| a | b |", "| --- | ---: |", "| 1 | 2 |"]
