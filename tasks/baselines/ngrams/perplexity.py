"""Baseline of a masked language model: n-grams from both sides that see exactly what the model sees.

A token is predicted from its neighbours in every window of up to five places (`windows`), by what stood in them in the
training text (`counting`), mixed by weights that validation chooses (`mixture`). A context with a hidden token is no
context. What a labelled position shows itself the model sees too: where that is not [MASK], it is the true token or a
random one, and Bayes' rule says which.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from infra.errors import ConfigError
from tasks.baselines.ngrams.channel import Channel
from tasks.baselines.ngrams.counting import Tokens, TrainingText, count_followers
from tasks.baselines.ngrams.mixture import Evidence, Mixture, fit_mixture
from tasks.baselines.ngrams.windows import MaskedDocuments, Positions, Window, check_masked, windows
from tasks.formats.value import Value

PIECE = 1 << 22  # tokens of the training text in memory at once


class WindowWeight(Value):
    """What one component of the mixture over hidden contexts has in it."""

    window: str = Field(
        description="neighbours of the predicted token `_` that it reads, `.` for one passed over"
    )
    known: float = Field(
        description="share of validation's positions whose context is seen and stood in training"
    )
    share: float = Field(description="of the mixture, mean over validation's positions; they sum to 1")
    weights: tuple[float, ...] = Field(
        description="of what wider windows left it, by level of support from 1"
    )


class NgramPerplexities(Value):
    """Perplexities over the labelled positions of the test set; all weights are chosen on validation."""

    unigram: float = Field(description="looks at nothing")
    two_sided_hidden: float = Field(
        description="sees what the model sees: neighbours, hidden tokens hidden, and what the position itself shows"
    )
    two_sided_clean: float = Field(description="sees the true neighbours, and what the position itself shows")
    context_hidden: float = Field(
        description="as two_sided_hidden, blind to what the position itself shows, as if it were [MASK] in each case"
    )
    context_clean: float = Field(description="as two_sided_clean, blind to what the position itself shows")
    kept: float = Field(
        description="share of true tokens among those that labelled positions show, on validation"
    )
    windows: tuple[WindowWeight, ...] = Field(description="of context_hidden, the widest first")


class Special(NamedTuple):
    """Ids with a meaning: `mask`, `pad`, and `context`, those that are never masked ([CLS], [SEP]) but stand in contexts."""

    mask: int
    pad: int
    context: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """All of them."""
        return (self.mask, self.pad, *self.context)


def ngram_perplexities(
    tokens: Tokens,
    offsets: np.ndarray,
    validation: MaskedDocuments,
    test: MaskedDocuments,
    vocabulary_size: int,
    special: Special,
    order: int = 5,
    piece: int = PIECE,
) -> NgramPerplexities:
    """Count in the training text, choose weights on `validation`, measure on `test`.

    `tokens` int [all tokens] and `offsets` int64 [documents + 1] are the training text, which may be memory-mapped; `order`
    is the widest window in tokens, the predicted one included. No document of `validation` may stand in the training text:
    the widest windows would know it by heart, and get weights that the test set makes them pay for.

    Raises DataError when a set is empty or of another vocabulary or shape, ConfigError when `order` or `piece` is below 1 or
    a special id is none of the vocabulary.
    """
    if order < 1 or piece < 1:
        raise ConfigError(
            f"found an order of {order} and pieces of {piece} tokens: expected 1 or more of each."
        )
    if not 0 <= min(special.ids) <= max(special.ids) < vocabulary_size:
        raise ConfigError(
            f"found special tokens of ids {special.ids}: expected 0 to {vocabulary_size - 1}, the vocabulary. Take both from "
            "one tokenizer."
        )
    check_masked("validation", validation, vocabulary_size)
    check_masked("test", test, vocabulary_size)
    predictable = np.ones(vocabulary_size, dtype=bool)
    predictable[list(special.ids)] = False
    text = TrainingText(tokens, offsets, predictable, piece)
    text.check()
    sets = (validation, test)
    hidden = [Positions.hidden(masked, order - 1, special.mask, special.pad) for masked in sets]
    clean = [Positions.clean(masked, order - 1, special.pad) for masked in sets]
    validation_hidden, test_hidden, validation_clean, test_clean = gather(text, [*hidden, *clean], order)
    by_hidden, by_clean = fit_mixture(validation_hidden), fit_mixture(validation_clean)
    unigram = fit_mixture(validation_hidden.last(2)), test_hidden.last(2)
    channel = Channel.of(hidden[0], special.mask, vocabulary_size)
    return NgramPerplexities(
        unigram=perplexity(unigram[0].probability(unigram[1].of_target, unigram[1].support)),
        two_sided_hidden=perplexity(channel.probability(hidden[1], by_hidden, test_hidden)),
        two_sided_clean=perplexity(channel.probability(clean[1], by_clean, test_clean)),
        context_hidden=perplexity(by_hidden.probability(test_hidden.of_target, test_hidden.support)),
        context_clean=perplexity(by_clean.probability(test_clean.of_target, test_clean.support)),
        kept=channel.kept,
        windows=_described(order, by_hidden, validation_hidden.support),
    )


def gather(text: TrainingText, views: Sequence[Positions], order: int) -> list[Evidence]:
    """What each component says of each view's positions: all windows from the widest down, then every token alike."""
    rows: list[list[Evidence]] = [[] for _ in views]
    for window in windows(order):
        keys = [view.contexts(window) for view in views]
        wanted = np.unique(np.concatenate(keys))
        followers = count_followers(text, window, wanted)
        for view, own, row in zip(views, keys, rows, strict=True):
            contexts = np.searchsorted(wanted, own)
            of_target, of_shown = (
                followers.probability(contexts, tokens).astype(np.float32)
                for tokens in (view.targets, view.shown)
            )
            row.append(Evidence(of_target, of_shown, followers.support(contexts)))
    for view, row in zip(views, rows, strict=True):
        alike = np.full(len(view.targets), 1 / len(text.predictable), dtype=np.float32)
        row.append(Evidence(alike, alike, np.ones(len(view.targets), dtype=np.uint8)))
    return [Evidence(*(np.stack(part) for part in zip(*row, strict=True))) for row in rows]


def perplexity(probabilities: np.ndarray) -> float:
    """exp of the mean negative log of float64 [positions]; too large a number is infinity."""
    with np.errstate(over="ignore"):
        return float(np.exp(-np.log(probabilities).mean()))


def _described(order: int, mixture: Mixture, support: np.ndarray) -> tuple[WindowWeight, ...]:
    shares = mixture.shares(support).mean(axis=1)
    names = [*(_name(window) for window in windows(order)), "every token alike"]
    return tuple(
        WindowWeight(
            window=name, known=float((levels > 0).mean()), share=float(share), weights=tuple(weights[1:])
        )
        for name, levels, share, weights in zip(names, support, shares, mixture.weights.tolist(), strict=True)
    )


def _name(window: Window) -> str:
    places = range(min(window, default=0), max(window, default=0) + 1)
    places = range(min(0, places.start), max(1, places.stop))
    return " ".join("_" if place == 0 else "w" if place in window else "." for place in places)
