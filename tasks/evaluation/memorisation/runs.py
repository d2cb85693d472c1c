"""Runs of tokens that stand word for word in a training text, of any length, without a suffix array of it.

A place of the training text can begin a long run only where it begins a short one: so each length is looked for among the
places that are left of half the length, and few are left soon.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tasks.evaluation.memorisation.run_keys import RunKeys

SHORTEST = 8  # tokens of the first runs that places are kept of
PIECE = 1 << 20
MOST_BITS = 24


@dataclass(frozen=True)
class Texts:
    """`tokens` int64 [all tokens], texts one after the other; `offsets` int64 [texts + 1], the first is 0."""

    tokens: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Self:
        """Texts one by one."""
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(np.array([token for row in rows for token in row], dtype=np.int64), offsets)

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """All texts of several."""
        ends = [texts.offsets[1:] for texts in several]
        before = np.cumsum([0, *(len(texts.tokens) for texts in several)])[: len(several)]
        offsets = np.concatenate([[0], *(own + first for own, first in zip(ends, before, strict=True))])
        tokens = np.concatenate([np.empty(0, dtype=np.int64), *(texts.tokens for texts in several)])
        return cls(tokens, offsets.astype(np.int64))

    def begins(self, length: int) -> np.ndarray:
        """Where runs of `length` tokens begin that lie in one text, int64 [runs]."""
        left = np.repeat(self.offsets[1:], np.diff(self.offsets)) - np.arange(len(self.tokens))
        return np.flatnonzero(left >= length)


class Training:
    """A training text, `tokens` int32 [all tokens], in which runs of some `asked` texts are looked for, and of no others."""

    def __init__(self, tokens: np.ndarray, asked: Texts) -> None:
        self._tokens, self._asked, self._keys = tokens, asked, RunKeys(tokens)
        self._left: dict[int, np.ndarray] = {}  # places by the length of the runs that they begin, int32

    def copied(self, texts: Texts, length: int) -> np.ndarray:
        """Where runs of `length` tokens of `texts` begin that stand in the training text, int64 [runs].

        Token by token: two runs of one key are compared. (One that is there is missed where another run of the training text
        has the same 64 bits: for a million runs among 36 million places a chance of 1e-6.)
        """
        begins = texts.begins(length)
        wanted, which = np.unique(RunKeys(texts.tokens).of(begins, length), return_inverse=True)
        stands = np.full(len(wanted), -1)
        for places, at in self._passing(wanted, length, self._places(length // SHORTEST)):
            stands[at] = places
        found = np.flatnonzero(stands[which] >= 0)
        same = np.ones(len(found), dtype=bool)
        for step in range(length):
            same &= texts.tokens[begins[found] + step] == self._tokens[stands[which[found]] + step]
        return begins[found[same]]

    def longest(self, texts: Texts) -> int:
        """Tokens of the longest run of `texts` that stands in the training text; 0 where no token does."""
        least, most, tried = 0, int(np.diff(texts.offsets).max(initial=0)), SHORTEST
        while least < most:
            length = min(tried, most) if tried else (least + most + 1) // 2
            if len(self.copied(texts, length)):
                least, tried = length, 2 * tried
            else:
                most, tried = length - 1, 0
        return least

    def _places(self, shortest: int) -> np.ndarray | None:
        """Places that begin a run of the asked texts, int32: SHORTEST tokens times the largest power of two up to `shortest`.

        None, which is every place, for 0.
        """
        if shortest == 0:
            return None
        factor = 1 << (shortest.bit_length() - 1)
        if factor not in self._left:
            length = SHORTEST * factor
            wanted = np.unique(RunKeys(self._asked.tokens).of(self._asked.begins(length), length))
            passing = self._passing(wanted, length, self._places(factor // 2))
            found = [places.astype(np.int32) for places, _ in passing]
            self._left[factor] = np.concatenate([np.empty(0, dtype=np.int32), *found])
        return self._left[factor]

    def _passing(
        self, wanted: np.ndarray, length: int, among: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Places of the training text whose runs have one of the `wanted` keys, uint64 sorted, and which: int64 [found]."""
        if not len(wanted):
            return
        # Most places begin nothing that is asked: a table of the keys' first bits tells nearly all of them at once.
        bits = min(MOST_BITS, len(wanted).bit_length() + 6)
        shift = np.uint64(64 - bits)
        asked = np.zeros(1 << bits, dtype=bool)
        asked[wanted >> shift] = True
        last = len(self._tokens) - length
        count = last + 1 if among is None else int(np.searchsorted(among, last, side="right"))
        for begin in range(0, count, PIECE):
            end = min(begin + PIECE, count)
            places = np.arange(begin, end) if among is None else among[begin:end].astype(np.int64)
            keys = self._keys.of(places, length)
            maybe = np.flatnonzero(asked[keys >> shift])
            at = np.searchsorted(wanted, keys[maybe])
            at[at == len(wanted)] = 0
            there = wanted[at] == keys[maybe]
            yield places[maybe[there]], at[there]
