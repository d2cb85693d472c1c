"""What a text costs: each token once, in windows that are cut or slide, as plain transformers has it."""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2LMHeadModel

from tasks.formats.packed_tokens import PackedInfo, PackedTokens, VocabularyInfo
from tasks.formats.token_blocks import code, code_type
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.measure import Cost, cost_of_text, cost_of_windows
from tests.tasks.models.gpt.tiny import CONTEXT, VOCABULARY, tiny_gpt

UNASKED = np.array([1, 2, 3])
CLOSE = 1e-5


def text_of(ids: list[int] | np.ndarray) -> PackedTokens:
    """One document, in memory."""
    special = VocabularyInfo(size=VOCABULARY, special=(0, 1, 2, 3), mask=None, pad=None, digest="0" * 64)
    info = PackedInfo(
        documents=1, empty=0, tokens=len(ids), longest=len(ids), word_starts=None, vocabulary=special
    )
    tokens = code(np.asarray(ids, dtype=np.int64), None, code_type(VOCABULARY))
    return PackedTokens(info, tokens, np.array([0, len(ids)]))


def drawn(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCABULARY, count)


@lru_cache(maxsize=1)
def forgetful() -> tuple[Gpt, np.ndarray]:
    """A model whose hidden states are one vector wherever it reads, and what each token costs it: no sum of some tokens'
    costs is that of others by chance."""
    model = tiny_gpt().eval()
    last = model.model.transformer.ln_f
    with torch.no_grad():
        last.weight.zero_()
        last.bias.normal_()
        each = -torch.log_softmax(model.model.lm_head(last.bias).double(), dim=0)
    return model, each.numpy()


@settings(max_examples=30)
@given(st.integers(0, 4 * CONTEXT + 3), st.integers(0, 9), st.booleans(), st.integers(1, 5))
def test_every_token_but_the_first_is_said_once(count: int, seed: int, sliding: bool, batch: int) -> None:
    (model, costs), ids = forgetful(), drawn(count, seed)
    found = cost_of_text(model, text_of(ids), UNASKED, sliding, batch)
    said = ids[1:][~np.isin(ids[1:], UNASKED)]
    assert found.tokens == len(said)
    assert found.nats == pytest.approx(costs[said].sum(), rel=CLOSE)


def log_likelihoods(model: GPT2LMHeadModel, ids: np.ndarray) -> torch.Tensor:
    """Of each token but the first, after those before it, by transformers: [len(ids) - 1]."""
    with torch.no_grad():
        chances = torch.log_softmax(model(torch.from_numpy(ids[None, :-1])).logits[0], dim=1)
    return chances.gather(1, torch.from_numpy(ids[1:, None])).squeeze(1)


def cut(ids: np.ndarray, length: int) -> Iterator[tuple[np.ndarray, int]]:
    """Windows and the one behind each, and how many of its last tokens count."""
    for start in range(0, len(ids) - 1, length):
        yield ids[start : start + length + 1], length


def slid(ids: np.ndarray, length: int) -> Iterator[tuple[np.ndarray, int]]:
    """As transformers' page on the perplexity of fixed-length models has it, in strides of half a window."""
    said = 0
    for start in range(0, len(ids), length // 2):
        end = min(start + length, len(ids) - 1)
        yield ids[start : end + 1], end - said
        said = end
        if end == len(ids) - 1:
            break


@pytest.mark.parametrize("count", [5, CONTEXT + 1, CONTEXT + 2, 5 * CONTEXT // 2, 4 * CONTEXT + 1])
@pytest.mark.parametrize("windows", [cut, slid])
def test_it_is_what_plain_transformers_says_of_the_same_windows(count: int, windows: object) -> None:
    model, ids = tiny_gpt().eval(), drawn(count)
    assert callable(windows)
    nats = 0.0
    for window, counted in windows(ids, CONTEXT):
        found, asked = log_likelihoods(model.model, window), ~np.isin(window[1:], UNASKED)
        nats -= found[-counted:].double()[torch.from_numpy(asked[-counted:])].sum().item()
    ours = cost_of_text(model, text_of(ids), UNASKED, windows is slid, batch_size=3)
    assert ours.nats == pytest.approx(nats, rel=CLOSE)
    assert ours.tokens == (~np.isin(ids[1:], UNASKED)).sum()


def test_windows_at_hand_cost_the_same_and_the_model_trains_on() -> None:
    model, ids = tiny_gpt().train(), drawn(3 * CONTEXT + 1)
    windows = np.stack([ids[start : start + CONTEXT + 1] for start in range(0, 3 * CONTEXT, CONTEXT)])
    found = cost_of_windows(model, windows, UNASKED, 2, "no")
    whole = cost_of_text(model, text_of(ids), UNASKED)
    assert found.tokens == whole.tokens and found.nats == pytest.approx(whole.nats, rel=1e-6)
    assert model.training and model.model.training


def test_in_bfloat16_a_text_costs_nearly_the_same() -> None:
    model, text = tiny_gpt().eval(), text_of(drawn(200))
    plain, rounded = (cost_of_text(model, text, UNASKED, precision=kind) for kind in ("no", "bf16"))
    assert rounded.nats != plain.nats and rounded.nats == pytest.approx(plain.nats, rel=1e-2)


def test_bits_a_byte_are_of_the_text_s_bytes() -> None:
    cost = Cost(nats=math.log(2) * 24, tokens=6)
    assert cost.bits_per_byte(8) == pytest.approx(3.0) and cost.mean == pytest.approx(4 * math.log(2))
    assert Cost(0.0, 0).mean == 0.0
