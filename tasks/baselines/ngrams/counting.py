"""What followed in the training text where a context stood: counted for the contexts that are asked for alone.

The text is read in pieces, once for each window: memory grows with what is asked, hardly with the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from infra.errors import DataError
from tasks.baselines.ngrams.windows import Window, context_keys

# Taken off each count: Ney, Essen & Kneser (1994), "On structuring probabilistic dependences in stochastic language
# modelling". Not counted anew from the text: it would be of the contexts asked for, and so tell what masks hide. On IMDb's
# validation 0.3 to 0.8 are within 1%.
DISCOUNT = 0.6
STEPS_PER_DOUBLING = 2
LEVELS = 20  # of support: the last is for 700 times a token and more


class Tokens(Protocol):
    """Ids of all tokens, int: an array, or what clears packed ones of their bit as they are read."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, part: slice, /) -> np.ndarray:
        """Those from one place to another."""


@dataclass(frozen=True)
class TrainingText:
    """`tokens` int [all tokens], documents one after the other; `offsets` int64 [documents + 1], the first is 0;
    `predictable` bool [vocabulary], False for tokens that are context alone; read `piece` tokens at a time."""

    tokens: Tokens
    offsets: np.ndarray
    predictable: np.ndarray
    piece: int

    def check(self) -> None:
        """Raises DataError unless there are tokens, the offsets are theirs and the ids are of the vocabulary."""
        if not len(self.tokens):
            raise DataError(
                "the training text has no tokens: expected some to count. Pack it from more rows."
            )
        ends = self.offsets[[0, -1]].tolist() if len(self.offsets) else []
        if ends != [0, len(self.tokens)] or np.any(np.diff(self.offsets) < 0):
            raise DataError(
                f"the {len(self.offsets)} offsets of the training text's documents have the ends {ends}: expected them to "
                f"rise from 0 to its {len(self.tokens)} tokens. Pack it again."
            )
        starts = range(0, len(self.tokens), self.piece)
        found = [(part.min(), part.max()) for part in (self.tokens[at : at + self.piece] for at in starts)]
        lowest, highest = min(int(low) for low, _ in found), max(int(high) for _, high in found)
        if lowest < 0 or highest >= len(self.predictable):
            raise DataError(
                f"the training text has token ids from {lowest} to {highest}: expected 0 to {len(self.predictable) - 1}, "
                "the vocabulary. Pack it with the tokenizer of the evaluation."
            )

    def contexts(self, window: Window) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Piece by piece: the key of each context in `window` that lies in one document, uint64, and the token that it
        stood around, int64; of predictable tokens."""
        first, last = min(window, default=0), max(window, default=0)
        before, after = max(0, -first), max(0, last)
        for begin in range(before, len(self.tokens) - after, self.piece):
            end = min(begin + self.piece, len(self.tokens) - after)
            read = np.asarray(self.tokens[begin - before : end + after]).astype(np.int64)
            numbers = np.arange(begin - before, end + after)
            document = np.searchsorted(self.offsets, numbers, side="right")
            length = end - begin
            predicted = read[before:][:length]
            inside = document[:length] == document[before + after :]
            inside &= self.predictable[predicted]
            columns = [read[before + place :][:length][inside] for place in window]
            yield context_keys(columns, int(inside.sum())), predicted[inside]


@dataclass(frozen=True)
class Followers:
    """What stood in the gap of some contexts: `pairs` int64, context times vocabulary plus token, sorted, with their
    `counts`; of each context the `total` of its counts and how many `different` tokens, int64 [contexts]."""

    vocabulary: int
    pairs: np.ndarray
    counts: np.ndarray
    total: np.ndarray
    different: np.ndarray

    def probability(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Discounted share of `tokens` among what stood in `contexts`, both int64 [n]: float64 [n], 0 in one that never did.

        What is taken off is not given to others here: the mixture has narrower components for them.
        """
        wanted = contexts * self.vocabulary + tokens
        at = np.searchsorted(self.pairs, wanted)
        known = np.searchsorted(self.pairs, wanted, side="right") > at
        pair, context = at[known], contexts[known]
        shares = np.zeros(len(contexts))
        left = self.total[context] - DISCOUNT * self.different[context]
        shares[known] = (self.counts[pair] - DISCOUNT) / left
        return shares

    def support(self, contexts: np.ndarray) -> np.ndarray:
        """How well known each context is, uint8 [n]: 0 where it never stood, else 1 to LEVELS, in half doublings of how
        often each different token stood in it, which is what Witten & Bell (1991) weigh a context by."""
        known = self.total[contexts] > 0
        of = contexts[known]
        doublings = np.log2(self.total[of] / self.different[of])
        levels = np.zeros(len(contexts), dtype=np.uint8)
        levels[known] = 1 + np.minimum((STEPS_PER_DOUBLING * doublings).astype(np.int64), LEVELS - 1)
        return levels


def count_followers(text: TrainingText, window: Window, wanted: np.ndarray) -> Followers:
    """Count what stood in contexts of `window`; `wanted` uint64 [contexts] are their keys, sorted, each once."""
    vocabulary = len(text.predictable)
    # Most contexts of the text are nobody's: a table of the keys' first bits tells nearly all of them at once.
    bits = min(26, max(16, len(wanted).bit_length() + 6))
    shift = np.uint64(64 - bits)
    asked = np.zeros(1 << bits, dtype=bool)
    asked[wanted >> shift] = True
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    for keys, tokens in text.contexts(window):
        maybe = np.flatnonzero(asked[keys >> shift])
        at = np.searchsorted(wanted, keys[maybe])
        at[at == len(wanted)] = 0
        same = wanted[at] == keys[maybe]
        pieces.append(np.unique(at[same] * vocabulary + tokens[maybe[same]], return_counts=True))
    pairs, counts = _joined(pieces)
    context = pairs // vocabulary
    total = np.bincount(context, counts, minlength=len(wanted)).astype(np.int64)
    return Followers(vocabulary, pairs, counts, total, np.bincount(context, minlength=len(wanted)))


def _joined(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The sorted pairs of all pieces, each once, and the sums of their counts."""
    if len(pieces) == 1:
        return pieces[0]
    empty = np.zeros(0, dtype=np.int64)
    pairs, where = np.unique(np.concatenate([empty, *(piece[0] for piece in pieces)]), return_inverse=True)
    counts = np.concatenate([empty, *(piece[1] for piece in pieces)])
    return pairs, np.bincount(where, counts, minlength=len(pairs)).astype(np.int64)
