import pytest

from tasks.evaluation.latency.protocol import Setting
from tasks.formats.shares import Shares
from tests.benchmarks.contenders import INSTEAD, OURS, REFERENCE
from tests.benchmarks.limit import Machine, limit_of
from tests.benchmarks.page import Benchmarks, Floor, page
from tests.benchmarks.rows import Contender, Rows
from tests.benchmarks.side_by_side import Figures, Measured, SideBySide
from tests.benchmarks.tables import ratios, spread, table
from tests.benchmarks.work import Work
from tests.tasks.evaluation.gate.reports import scores


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
            measured("bert", 100_000_000, (8.0, 8.0, 8.0), (9.0, 9.0, 9.0)),
            measured("slow", 5_000_000, (2.0, 2.0, 0.4), (2.0, 2.0, 2.0)),
            measured("released", 4_000_000, (0.4, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ),
    )
    slow = contender("slow", INSTEAD, "searched", 0.90)
    rows = (
        contender("bert", REFERENCE, "random weights", None),
        contender("tfidf", INSTEAD, "terms", 0.92),
        slow.model_copy(update={"settings": {"lr": 0.5, "C": 10.0, "loss": "softmax"}}),
        contender("released", OURS, "the release", 0.91),
    )
    floor = Floor("released", 11, work, machine, limit_of(work, machine))
    shares = Shares(expected=0.18, source="the test's", validation=0.03, test=0.18)
    made = Rows(made=rows, left_out=("fasttext: not installed",), shares=shares)
    benchmarks = Benchmarks(found=found, rows=made, floors=(floor,))
    assert Benchmarks.model_validate_json(benchmarks.model_dump_json()) == benchmarks
    return page(benchmarks).splitlines()


def contender(name: str, group: str, what: str, accuracy: float | None) -> Contender:
    return Contender(
        name=name, group=group, what=what, scores=None if accuracy is None else scores(name, accuracy)
    )


def cells(lines: list[str], start: str, nth: int = 0) -> list[str]:
    """Cells of the nth line that starts with a name."""
    return [
        cell.strip()
        for cell in [line for line in lines if line.startswith(f"| {start} ")][nth].split("|")[1:-1]
    ]


def test_ratios_are_taken_round_by_round_and_shown_with_their_spread(lines: list[str]) -> None:
    row = cells(lines, "released", 1)
    assert row[:5] == ["released", "0.9100", "4.00", "100.0", "2, spinning"]
    assert row[5] == "0.500 (0.400 to 0.500)"
    assert row[6] == "100.0 (100.0 to 120.0)"  # 40 / 0.4, 50 / 0.5, 60 / 0.5
    assert row[8] == "160.0 (140.0 to 180.0)"


def test_every_trained_row_is_scored_by_what_its_rule_knew(lines: list[str]) -> None:
    head = next(line for line in lines if line.startswith("| model | accuracy for"))
    assert head == (
        "| model | accuracy for 18%: the test's | accuracy for 3.0%: validation | argmax, no rule | in-scope rows | AUROC |"
    )
    assert cells(lines, "released") == ["released", "0.9100", "0.8900", "0.8500", "0.9400", "0.9700"]


def test_where_the_release_is_behind_is_bold(lines: list[str]) -> None:
    assert cells(lines, "tfidf", 2) == [
        "tfidf", "**-1.00**", "2.00 (2.00 to 2.50)", "2.00 (2.00 to 2.00)", "**0.50**",
    ]  # fmt: skip


def test_a_reference_without_accuracy_is_compared_in_size_and_speed(lines: list[str]) -> None:
    assert cells(lines, "bert")[:3] == ["bert", "", "100.00"]
    assert cells(lines, "bert", 1)[1:3] == ["", "16.00 (16.00 to 20.00)"]


def test_who_is_ahead_and_where_is_said_in_words(lines: list[str]) -> None:
    (words,) = (line for line in lines if line.startswith("Ahead of the release"))
    assert "Ahead of the release in accuracy: `tfidf` by 1.00 points." in words
    assert "Ahead of the release in size: `tfidf` by 2.0x." in words
    assert "Ahead of the release in speed: nobody." in words
    assert "Ahead in all that is compared: nobody. In nothing: `bert`, `slow`." in words
    assert words.endswith("by the median of the rounds; some rounds say the opposite of: `slow`.")


def test_the_settings_that_a_row_found_stand_beside_it(lines: list[str]) -> None:
    assert "- `slow`: searched (instead). Found: lr 0.5, C 10, loss softmax" in lines
    assert "- `tfidf`: terms (instead)" in lines


def test_throughput_is_given_against_three_baselines(lines: list[str]) -> None:
    assert cells(lines, "released", 2)[1:] == ["20 (10 to 30)", "50 (40 to 60)", "50", "2.5", "1.0"]
    assert "1.00 (1.00 to 1.00)" in cells(lines, "yardstick, padded to 512")


def test_the_limit_that_binds_is_the_larger_one(lines: list[str]) -> None:
    # 0.4 MB at 1 and 4 GB/s; 2 M multiply-adds at 100 and 10 G/s; 0.5 ms seen against 0.2 at the query's rows.
    assert cells(lines, "released", 3)[1:] == [
        "0.40", "2.00", "0.400", "0.100", "0.020", "0.200", "0.500", "2.5",
    ]  # fmt: skip


def test_what_could_not_be_measured_is_said(lines: list[str]) -> None:
    assert "Not measured: fasttext: not installed" in lines


def test_small_parts() -> None:
    assert ratios((4.0, 9.0), (2.0, 3.0)) == (2.0, 3.0)
    assert spread((3.0, 1.0, 2.0), 1) == "2.0 (1.0 to 3.0)"
    assert table(["a", "b"], [["1", "2"]]).splitlines() == ["| a | b |", "| --- | ---: |", "| 1 | 2 |"]
