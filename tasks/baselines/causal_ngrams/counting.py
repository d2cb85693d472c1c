"""Every n-gram of a text, counted exactly: an n-gram is the number of its first n - 1 tokens, as an n-gram, and its last one.

So one 64-bit key holds an n-gram of any length, and what may follow a context lies side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from infra.errors import DataError


@dataclass(frozen=True)
class Grams:
    """The n-grams of one length: `keys` int64 [n-grams], sorted, number of the context times vocabulary plus last token;
    an n-gram's number is its place here. `counts` int32 [n-grams]."""

    keys: np.ndarray
    counts: np.ndarray

    def numbers(self, keys: np.ndarray) -> np.ndarray:
        """Numbers of n-grams by their keys, int64 [n], of which any may be wrong: -1 for one that is not there."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.searchsorted(self.keys, keys)
        at[at == len(self.keys)] = 0
        return np.where(self.keys[at] == keys, at, -1)


def count_grams(tokens: np.ndarray, offsets: np.ndarray, order: int, predicted: np.ndarray) -> list[Grams]:
    """n-grams of each length from 1 to `order`, as Kneser & Ney (1995) count them.

    Of the longest it is how often they stand in the text; of a shorter one, how many different tokens stand before it, where
    the beginning of each document is a token of its own (so an n-gram that nothing can stand before is counted as it stands).

    Args:
        tokens: int32 [all tokens], documents one after the other; no n-gram is of two.
        offsets: int64 [documents + 1], the first is 0.
        predicted: bool [vocabulary]; n-grams that end in another token are numbered, for contexts, and count 0.

    Raises:
        DataError: there are no tokens, or one is not of the vocabulary.
    """
    vocabulary = len(predicted)
    check_tokens(tokens, vocabulary)
    depth = depths(offsets, order)
    numbers = tokens
    keys, counts = np.arange(vocabulary), np.bincount(tokens, minlength=vocabulary)
    made: list[Grams] = []
    for length in range(2, order + 1):
        places = np.flatnonzero(depth >= length - 1).astype(np.int32)
        longer = numbers[places - 1].astype(np.int64) * vocabulary + tokens[places]
        by_key = np.argsort(longer)
        longer, places = longer[by_key], places[by_key]
        del by_key
        new = np.ones(len(longer), dtype=bool)
        np.not_equal(longer[1:], longer[:-1], out=new[1:])
        begins = np.flatnonzero(new)
        before = np.bincount(numbers[places[begins]], minlength=len(keys))
        before += np.bincount(numbers[depth == length - 2], minlength=len(keys))
        made.append(_made(keys, before, predicted))
        keys, counts = longer[begins], np.diff(begins, append=len(longer))
        if length < order:
            renumbered = np.full(len(tokens), -1, dtype=np.int32)
            renumbered[places] = np.cumsum(new, dtype=np.int32) - 1
            numbers = renumbered
    made.append(_made(keys, counts, predicted))
    return made


def depths(offsets: np.ndarray, most: int) -> np.ndarray:
    """How many tokens of its document stand before each token, uint8 [all tokens], `most` where there are more."""
    depth = np.full(int(offsets[-1]), most, dtype=np.uint8)
    lengths = np.diff(offsets)
    for place in range(most):
        depth[offsets[:-1][lengths > place] + place] = place
    return depth


def numbered(
    grams: list[Grams], tokens: np.ndarray, offsets: np.ndarray, vocabulary: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each length from 2 on: numbers of the contexts of a text's tokens, and of the n-grams that end there.

    Both int64 [all tokens], -1 for what was not counted or does not lie in one document; `tokens` int64.
    """
    depth = depths(offsets, len(grams))
    numbers = tokens
    for length, longer in enumerate(grams[1:], 2):
        contexts = np.full(len(tokens), -1)
        contexts[1:] = numbers[:-1]
        contexts[depth < length - 1] = -1
        numbers = longer.numbers(np.where(contexts < 0, -1, contexts * vocabulary + tokens))
        yield contexts, numbers


def check_tokens(tokens: np.ndarray, vocabulary: int) -> None:
    """Raises DataError unless there are tokens, all of the vocabulary."""
    if not len(tokens):
        raise DataError("the text has no tokens: expected some to count. Pack more files.")
    if not 0 <= tokens.min() <= tokens.max() < vocabulary:
        raise DataError(
            f"the text has token ids from {tokens.min()} to {tokens.max()}: expected 0 to {vocabulary - 1}, the vocabulary. "
            "Pack it again."
        )


def _made(keys: np.ndarray, counts: np.ndarray, predicted: np.ndarray) -> Grams:
    return Grams(keys, np.where(predicted[keys % len(predicted)], counts, 0).astype(np.int32))
