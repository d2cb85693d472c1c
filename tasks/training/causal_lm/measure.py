"""What text costs a causal language model, token by token: in windows that are cut, or in windows that slide.

Cut windows are read one after the other: at the head of each the model knows nothing of what came before, as in its training.
Sliding ones overlap by half, and only the latter half of each counts, so that every token has half a window before it at least
(Hugging Face's page on the perplexity of fixed-length models). A whole text is said either way: nothing is dropped.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from tasks.formats.packed_tokens import PackedTokens
from tasks.models.device import accelerated_device, on_device
from tasks.models.gpt.cost import IGNORED
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.objective import asked_of
from tasks.training.config import MixedPrecision
from tasks.training.precision import autocast


class Cost(NamedTuple):
    """What some tokens cost: `nats` in all."""

    nats: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nats / max(self.tokens, 1)

    def bits_per_byte(self, size: float) -> float:
        """Of a text of `size` bytes: models of different vocabularies compare by it, as they do not by their perplexities."""
        return self.nats / (np.log(2) * size)


def cost_of_text(
    model: Gpt,
    packed: PackedTokens,
    unasked: np.ndarray,
    sliding: bool = False,
    batch_size: int = 16,
    precision: MixedPrecision = "no",
    what: str = "text",
) -> Cost:
    """What all tokens of `packed` cost but the first, and those of `unasked` ids, int64 [n]; see above."""
    length = model.context
    step = length // 2 if sliding else length
    return _cost(model, _windows(packed, length, step, unasked, batch_size), precision, what)


def cost_of_windows(
    model: Gpt, windows: np.ndarray, unasked: np.ndarray, batch_size: int, precision: MixedPrecision
) -> Cost:
    """The same of windows that are at hand, int64 [n, length + 1]."""
    parts = (windows[start : start + batch_size] for start in range(0, len(windows), batch_size))
    return _cost(model, (asked_of(part, unasked) for part in parts), precision, "validation")


def _windows(
    packed: PackedTokens, length: int, step: int, unasked: np.ndarray, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is read and asked, both int64 [batch, length], and a shorter row last."""
    tokens, last = packed.ids, len(packed.tokens) - 1
    starts = np.arange(0, max(last - (length - step), 1), step)
    whole = starts[starts + length <= last]
    for some in range(0, len(whole), batch_size):
        ids = np.stack([tokens[start : start + length + 1] for start in whole[some : some + batch_size]])
        read, asked = asked_of(ids, unasked)
        known = whole[some : some + batch_size] > 0
        asked[known, : length - step] = IGNORED
        yield read, asked
    for start in starts[len(whole) :]:
        read, asked = asked_of(tokens[start : last + 1][None], unasked)
        if start:
            asked[:, : length - step] = IGNORED
        yield read, asked


def _cost(
    model: Gpt, parts: Iterator[tuple[np.ndarray, np.ndarray]], precision: MixedPrecision, what: str
) -> Cost:
    nats, tokens, was_training = 0.0, 0, model.training
    model.eval()
    with (
        on_device(model) as device,
        torch.inference_mode(),
        autocast(precision, accelerated_device()),
        tqdm(desc=what, unit=" tokens", unit_scale=True, leave=False, disable=None) as bar,
    ):
        for read, asked in parts:
            ids, labels = (torch.from_numpy(part).to(device) for part in (read, asked))
            nats += model(ids, labels, each=True).double().sum().item()
            tokens += int((asked != IGNORED).sum())
            bar.update(read.size)
    model.train(was_training)
    return Cost(nats, tokens)
