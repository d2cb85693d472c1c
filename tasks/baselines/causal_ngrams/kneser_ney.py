"""Interpolated modified Kneser-Ney (Chen & Goodman 1999, An empirical study of smoothing techniques, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from tasks.baselines.causal_ngrams.counting import Grams, count_grams, numbered

# Of counts 1, 2 and more, where the text is too small to estimate them: as KenLM's --discount_fallback.
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Order:
    """One length of n-grams: `discounts` float64 [4], taken off a count of 0, 1, 2, 3 and more; of each context the `total`
    of its counts, float64 [contexts], and `left` of them for shorter n-grams, a share, float64 [contexts]."""

    grams: Grams
    discounts: np.ndarray
    total: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, grams: Grams, contexts: int, vocabulary: int) -> Self:
        """Of `contexts`, as many as there are n-grams a token shorter."""
        discounts = estimated_discounts(grams.counts)
        total, taken = np.zeros(contexts), np.zeros(contexts)
        piece = 1 << 22
        for begin in range(0, len(grams.keys), piece):
            context = grams.keys[begin : begin + piece] // vocabulary
            first, counts = int(context[0]), grams.counts[begin : begin + piece]
            context -= first
            of_counts = np.bincount(context, counts)
            total[first : first + len(of_counts)] += of_counts
            taken[first : first + len(of_counts)] += np.bincount(context, discounts[np.minimum(counts, 3)])
        return cls(grams, discounts, total, taken / np.maximum(total, 1))

    def shares(self, numbers: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """Discounted shares float64 [n] of n-grams, -1 for one never seen, among those of their contexts, int64 [n]."""
        counts = np.where(numbers < 0, 0, self.grams.counts[numbers])
        return (counts - self.discounts[np.minimum(counts, 3)]) / self.total[contexts]


def estimated_discounts(counts: np.ndarray) -> np.ndarray:
    """Taken off counts of 0, 1, 2, 3 and more, float64 [4] (Chen & Goodman 1999, equation 26), from int [n-grams]."""
    one, two, three, four = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    found = FALLBACK
    if min(one, two, three) > 0:
        share = one / (one + 2 * two)
        found = (1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three)
    kept = [value if 0 < value <= most else FALLBACK[most - 1] for most, value in enumerate(found, 1)]
    return np.array([0.0, *kept])


@dataclass(frozen=True)
class KneserNey:
    """`orders`, the unigrams first; `predicted` bool [vocabulary], False for tokens that are context alone."""

    orders: Sequence[Order]
    predicted: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, offsets: np.ndarray, order: int, predicted: np.ndarray) -> Self:
        """Count a text; see `count_grams`, and raises what it raises."""
        grams = count_grams(tokens, offsets, order, predicted)
        contexts = [1, *(len(shorter.keys) for shorter in grams[:-1])]
        spans = [Order.of(own, of, len(predicted)) for own, of in zip(grams, contexts, strict=True)]
        return cls(spans, predicted)

    def probabilities(self, tokens: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Of each token after those before it in its document, float64 [tokens]; 0 for one that is context alone.

        `tokens` int64 [tokens], documents one after the other; `offsets` int64 [documents + 1].
        """
        found = self._unigrams[tokens]
        grams = [order.grams for order in self.orders]
        pairs = numbered(grams, tokens, offsets, len(self.predicted))
        for order, (contexts, numbers) in zip(self.orders[1:], pairs, strict=True):
            known = np.flatnonzero(contexts >= 0)
            known = known[order.total[contexts[known]] > 0]
            of = contexts[known]
            found[known] = order.shares(numbers[known], of) + order.left[of] * found[known]
        return np.where(self.predicted[tokens], found, 0.0)

    def distribution(self, context: Sequence[int]) -> np.ndarray:
        """Of the token after `context`, float64 [vocabulary]; the sum is 1."""
        found, vocabulary = self._unigrams.copy(), len(self.predicted)
        for length, order in enumerate(self.orders[1:], 1):
            if length > len(context) or (number := self._number(context[-length:])) < 0:
                break
            if order.total[number] == 0:
                break
            keys = order.grams.keys
            first, end = np.searchsorted(keys, [number * vocabulary, (number + 1) * vocabulary])
            found *= order.left[number]
            followers = np.arange(first, end)
            found[keys[first:end] - number * vocabulary] += order.shares(
                followers, np.full(len(followers), number)
            )
        return found

    def _number(self, gram: Sequence[int]) -> int:
        number = gram[0]
        for order, token in zip(self.orders[1:], gram[1:], strict=False):
            (number,) = order.grams.numbers(np.array([number * len(self.predicted) + token]))
            if number < 0:
                break
        return int(number)

    @cached_property
    def _unigrams(self) -> np.ndarray:
        """Interpolated with every token that is predicted alike: an unseen one has its part of what was taken off."""
        order = self.orders[0]
        all_tokens = np.arange(len(self.predicted))
        alike = order.left[0] / self.predicted.sum()
        return np.where(self.predicted, order.shares(all_tokens, np.zeros_like(all_tokens)) + alike, 0.0)
