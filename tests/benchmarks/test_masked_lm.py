"""Both ways are measured at each share of masks, and the page says how fast each was."""

from pathlib import Path

import pytest

from tests.benchmarks.masked_lm import main, measure, prepare
from tests.benchmarks.masked_lm_page import MaskedLmSpeed, MaskedRate, speed_text
from tests.benchmarks.step_times import Steps
from tests.tasks.models.tiny_encoder import write_base


@pytest.mark.slow
def test_both_ways_are_measured_in_every_round(tmp_path: Path) -> None:
    texts = [f"tell me about the balances of {'rain ' * (n % 30)}" for n in range(40)]
    given = prepare(write_base(tmp_path / "base"), texts, 16, tmp_path)
    found = measure(given, (0.3,), Steps(counted=20, warm=20, batch_size=2), 1, tmp_path)
    assert [(one.rate, len(one.ours), len(one.trainer)) for one in found] == [(0.3, 1, 1)]
    assert min(*found[0].ours, *found[0].trainer) > 0


def test_a_row_says_how_many_times_as_fast_ours_is_round_by_round() -> None:
    rate = MaskedRate(rate=0.15, ours=(0.5, 0.4), trainer=(1.0, 1.0))
    found = MaskedLmSpeed(
        command="it", cpu="a processor", threads=2, precision="bfloat16", length=128, batch_size=16, warm=20, counted=40,
        rates=(rate,),
    )  # fmt: skip
    text = speed_text(found)
    assert "| 15% | 36.0 (32.0 to 40.0) | 16.0 (16.0 to 16.0) | 2.25 (2.00 to 2.50) |" in text
    assert "median of 2 rounds" in text and "a processor, 2 threads, bfloat16" in text


def test_without_the_shared_data_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert "imdb/train.jsonl.gz is not there" in capsys.readouterr().err
