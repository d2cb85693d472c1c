"""What a document has shown of itself so far: the tokens that followed each token's context, earlier in the same document.

A cache (Kuhn & De Mori 1990, A cache-based natural language model for speech recognition) of n-grams of several lengths, which
names and idioms that no training text has come from. Neural models were given one by Grave et al. (2017).
"""

import numpy as np

from tasks.baselines.ngrams.counting import DISCOUNT
from tasks.baselines.ngrams.mixture import Evidence

CERTAIN = (
    5  # levels of support of a context that one token alone has followed: once, twice, up to 4, 8 and more
)
TIMES = 2.0 ** np.arange(CERTAIN - 1)


def with_cache(
    static: np.ndarray, tokens: np.ndarray, offsets: np.ndarray, predicted: np.ndarray, order: int
) -> Evidence:
    """The caches of contexts of `order` - 1 tokens down to none, then a `static` model, for the tokens that are predicted.

    Args:
        static: float64 [tokens], of each token by the static model.
        tokens: int64 [tokens], documents one after the other.
        offsets: int64 [documents + 1], the first is 0.
        predicted: bool [vocabulary]; the others are context alone.
    """
    places = np.flatnonzero(predicted[tokens])
    depth = places - np.repeat(offsets[:-1], np.diff(offsets))[places]
    contexts = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[places]
    shares, support = [static[places].astype(np.float32)], [np.ones(len(places), dtype=np.uint8)]
    for length in range(order):
        if length:
            # Beyond the document's beginning stands a token that no vocabulary has.
            before = np.where(depth < length, len(predicted), tokens[places - length])
            _, contexts = np.unique(contexts * (len(predicted) + 1) + before, return_inverse=True)
        own, levels = _followed(contexts, tokens[places], len(predicted))
        levels[depth < length] = 0
        shares.append(np.where(levels > 0, own, 0).astype(np.float32))
        support.append(levels)
    of_target = np.stack(shares[::-1])
    return Evidence(of_target, of_target, np.stack(support[::-1]))


def _followed(contexts: np.ndarray, tokens: np.ndarray, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Discounted share of each token among those that followed its context before, and how well known that is, uint8; [n]."""
    total, same = _earlier(contexts), _earlier(contexts * vocabulary + tokens)
    different = _earlier(contexts, same == 0)
    left = np.where(total > 0, total - DISCOUNT * different, 1.0)
    shares = np.maximum(same - DISCOUNT, 0) / left
    certain = 1 + np.searchsorted(TIMES, total, side="left")
    doublings = 2 * np.log2(np.maximum(total, 1) / np.maximum(different, 1))
    levels = np.where(different == 1, certain, 1 + CERTAIN + np.minimum(doublings.astype(np.int64), 14))
    return shares, np.where(total > 0, levels, 0).astype(np.uint8)


def _earlier(keys: np.ndarray, counted: np.ndarray | None = None) -> np.ndarray:
    """How many places before each one have its key (of those that are `counted`, bool [n]), int64 [n]."""
    by_key = np.argsort(keys, kind="stable")
    ordered = keys[by_key]
    begins = np.searchsorted(ordered, ordered, side="left")
    ones = np.ones(len(keys), dtype=np.int64) if counted is None else counted[by_key].astype(np.int64)
    before = np.cumsum(ones) - ones
    found = np.empty(len(keys), dtype=np.int64)
    found[by_key] = before - before[begins]
    return found
