"""What training and packing are measured against computes the same, and the page says how fast each was."""

from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from tasks.models.gpt.config import GptConfig
from tasks.models.gpt.fresh import gpt_config
from tests.benchmarks.causal_lm import Asked, first_bytes, main, measure, prepare
from tests.benchmarks.causal_lm_page import (
    MUON,
    OURS,
    PLAIN,
    TRAINER,
    CausalLmSpeed,
    PackingSpeed,
    WayOfPacking,
    speed_text,
)
from tests.benchmarks.code_packing import measure_packing
from tests.benchmarks.nano_gpt import like
from tests.benchmarks.step_times import Steps
from tests.conftest import ROOT

TEXTS = [
    path.read_text() for path in sorted((ROOT / "tasks" / "metrics").glob("*.py")) if path.stat().st_size
]
TINY = Asked("nano", 400, 10**6, Steps(counted=20, warm=20, batch_size=1), 1)


def test_the_plain_model_computes_what_transformers_does() -> None:
    torch.manual_seed(0)
    shape = GptConfig(size="nano", width=32, context=16)
    theirs = GPT2LMHeadModel(gpt_config(shape, 50, 0)).eval()
    ids = torch.randint(50, (2, 17))
    expected = theirs(ids[:, :-1], labels=ids[:, 1:], shift_labels=ids[:, 1:].contiguous()).loss
    torch.testing.assert_close(like(theirs)(ids[:, :-1], ids[:, 1:]), expected)


def test_both_ways_of_packing_are_measured_on_the_same_tokens(tmp_path: Path) -> None:
    _, corpus, tokenizer = prepare(TINY, TEXTS, tmp_path)
    found = measure_packing(corpus, tokenizer, 16, rounds=2, scratch=tmp_path)
    assert found.files == len(TEXTS) and found.bytes == sum(len(text.encode()) for text in TEXTS)
    assert len(found.ours.seconds) == len(found.textbook.seconds) == 2
    assert found.ours.tokens == found.textbook.tokens + found.files  # the tokens of quality
    assert found.ours.lost < 2 * 16  # less than a window of each of both parts
    assert 0 <= found.textbook.lost < 16  # all is one buffer


@pytest.mark.slow
def test_every_way_is_measured_in_every_round(tmp_path: Path) -> None:
    found = measure(TINY, TEXTS, "it", tmp_path)
    assert list(found.seconds) == [MUON, OURS, TRAINER, PLAIN]
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in found.seconds.values())
    assert found.context == 128 and found.vocabulary == 400


def test_the_first_texts_have_as_many_bytes_as_were_asked_for() -> None:
    assert first_bytes(["ab", "é", "c"], 3) == ["ab", "é"]
    assert first_bytes(["ab"], 10) == ["ab"]


def test_a_row_says_how_many_times_as_fast_ours_is_round_by_round() -> None:
    packing = PackingSpeed(
        bytes=10_000_000,
        files=3,
        ours=WayOfPacking(seconds=(1.0, 1.0), tokens=100_000, lost=5),
        textbook=WayOfPacking(seconds=(2.0, 3.0), tokens=100_000, lost=80),
    )
    found = CausalLmSpeed(
        command="it", cpu="a processor", threads=2, precision="bfloat16", parameters=5_300_000, vocabulary=8_192, context=100,
        batch_size=10, warm=20, counted=20, attention="sdpa", optimizer="adamw_torch_fused", packing=packing,
        seconds={MUON: (0.2, 0.2), OURS: (0.1, 0.2), TRAINER: (0.4, 0.4), PLAIN: (0.2, 0.2)},
    )  # fmt: skip
    text = speed_text(found)
    assert "| 7,500 (5,000 to 10,000) | 3.00 (2.00 to 4.00) | 1.50 (1.00 to 2.00) |" in text
    assert "| ours | 10.0 (10.0 to 10.0) | 0.005% | 2.50 (2.00 to 3.00) |" in text
    assert "| textbook | 4.2 (3.3 to 5.0) | 0.080% |  |" in text
    assert "median of 2 rounds" in text and "5.3 million parameters" in text


def test_without_the_shared_data_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path)]) == 2
    assert "has no *.jsonl.gz with code" in capsys.readouterr().err
