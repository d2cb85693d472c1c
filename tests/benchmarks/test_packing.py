"""The course's code and ours make the same blocks, and the table says how fast each was."""

from pathlib import Path

from tests.benchmarks.packing import COURSE, IDS, OURS, described, measure
from tests.tasks.data.packing.tiny_tokenizers import saved, word_piece


def test_all_ways_are_measured_on_the_same_blocks(tmp_path: Path) -> None:
    texts = [f"tell me about the balances of {'rain ' * (n % 30)}" for n in range(1_100)]
    found = measure(saved(word_piece(), tmp_path), texts, rounds=2)
    assert list(found) == [COURSE, IDS, OURS] and all(len(rates) == 2 for rates in found.values())


def test_a_ratio_is_taken_round_by_round() -> None:
    text = described({COURSE: [100.0, 200.0], IDS: [300.0, 300.0], OURS: [400.0, 600.0]})
    assert "| course | 150 (100 to 200) | 3.50 (3.00 to 4.00) |" in text
    assert "| ours | 500 (400 to 600) |  |" in text
