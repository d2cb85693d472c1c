"""The page on reading says what was measured, and the command that writes it works."""

import pytest

from tests.benchmarks.reading import QUICK_ROWS, main
from tests.benchmarks.reading_page import Reading, Setup, Way, page

SETUP = Setup(rows=1_000, text_bytes=400 * 2**20, shard_bytes=10**8, limit_mib=192, cpu="a CPU", cores=2)


def reading(way: Way, opening: float, taken: float, own: float, completed: bool = True) -> Reading:
    return Reading(
        way=way, completed=completed, rows=1_000, characters=9, opening_s=opening, reading_s=taken, own_mib=own,
        resident_mib=2 * own,
    )  # fmt: skip


def test_ratios_are_taken_round_by_round_and_a_way_that_ran_out_of_memory_has_no_speed() -> None:
    found: dict[Way, list[Reading]] = {
        "prepared": [reading("prepared", 6.0, 0.0, 50), reading("prepared", 6.0, 0.0, 60)],
        "mapped": [reading("mapped", 0.1, 1.0, 10), reading("mapped", 0.1, 2.0, 11)],
        "streamed": [reading("streamed", 0.2, 3.0, 90), reading("streamed", 0.2, 8.0, 70)],
        "at once": [reading("at once", 0.1, 1.0, 5), reading("at once", 0.1, 1.0, 5, completed=False)],
    }
    text = page(SETUP, found)
    assert "read 3.5 (3.0 to 4.0) times as fast" in text
    assert "pays from 2 passes on" in text  # 6 s to prepare, 4 s saved by each pass
    assert "Neither way held more than 90 MiB" in text and "**192 MiB**" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `at once`")]
    assert "out of memory in 1 of 2" in row and "rows/s" not in row
    (row,) = [line for line in text.splitlines() if line.startswith("| `mapped`")]
    assert "750 (500 to 1,000)" in row


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quick_run_reads_every_row_in_every_way(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    text = capfd.readouterr().out
    assert f"{QUICK_ROWS:,} seeded rows" in text and text.count("\n| `") == 4
