"""Views of one flat array of coded tokens: documents as rows, and blocks of one length over their borders.

A coded token is an id, and in the highest bit of the same 16 or 32 whether it starts a word: a vocabulary of up to 32,768
tokens, which is BERT's, takes two bytes a token.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np

from infra.errors import ConfigError
from tasks.formats.token_shards import TokenShards

SHORT, LONG = np.dtype("<u2"), np.dtype("<u4")


def code_type(vocabulary: int) -> np.dtype:
    """The smaller of both integers that has room for ids below `vocabulary` and for the bit."""
    return SHORT if vocabulary <= 1 << 15 else LONG


def code(ids: np.ndarray, starts: np.ndarray | None, kind: np.dtype) -> np.ndarray:
    """Ids, int64 [tokens], with the bit of those that start a word, bool [tokens]; None sets it in all."""
    coded = ids.astype(kind)
    return coded | (_bit(kind) if starts is None else starts.astype(kind) * _bit(kind))


def ids_of(coded: np.ndarray) -> np.ndarray:
    """Ids alone, int64, of the same shape."""
    return (coded & ~_bit(coded.dtype)).astype(np.int64)


def starts_of(coded: np.ndarray) -> np.ndarray:
    """Which tokens start a word, bool, of the same shape."""
    return (coded & _bit(coded.dtype)) != 0


class Ids:
    """Ids of coded tokens, cleared of the bit as they are read."""

    def __init__(self, coded: np.ndarray) -> None:
        self._coded = coded

    def __len__(self) -> int:
        return len(self._coded)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Int64, from one place to another."""
        return ids_of(self._coded[part])


class Documents(TokenShards):
    """Rows of coded tokens as `TokenShards`; a row is a copy, int64, for its ids are cleared of the bit."""

    def __getitem__(self, row: int) -> Sequence[int]:  # type: ignore[override]  # rows one by one
        return cast("Sequence[int]", ids_of(self._coded(row)))

    def word_starts(self, row: int) -> np.ndarray:
        """Which tokens of a document start a word, bool [its tokens]."""
        return starts_of(self._coded(row))

    def _coded(self, row: int) -> np.ndarray:
        return cast("np.ndarray", super().__getitem__(row))


class BlockBatch(NamedTuple):
    """`ids` int64, `word_starts` bool, both [blocks, length]."""

    ids: np.ndarray
    word_starts: np.ndarray


class Blocks:
    """All tokens in pieces of one length; what is left at the end is dropped, once. Nothing is copied before it is asked."""

    def __init__(self, tokens: np.ndarray, offsets: np.ndarray, length: int) -> None:
        """`tokens` coded [all tokens], `offsets` int64 [documents + 1]. Raises ConfigError for a length below 1."""
        if length < 1:
            raise ConfigError(
                f"blocks of {length} tokens were asked for: expected 1 or more. Give another length."
            )
        self.length, self.dropped = length, len(tokens) % length
        self._coded = tokens[: len(tokens) - self.dropped].reshape(-1, length)
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._coded)

    def __getitem__(self, numbers: np.ndarray) -> BlockBatch:
        """Some blocks by their numbers, int64 [n]. Raises IndexError for one that there is not."""
        coded = self._coded[self._checked(numbers)]
        return BlockBatch(ids_of(coded), starts_of(coded))

    def seams(self, numbers: np.ndarray) -> np.ndarray:
        """At which positions of some blocks a document begins, bool [n, length]."""
        positions = self._checked(numbers)[:, None] * self.length + np.arange(self.length)
        return self._offsets[np.searchsorted(self._offsets, positions)] == positions

    def _checked(self, numbers: np.ndarray) -> np.ndarray:
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"blocks {numbers.min()} to {numbers.max()} of {len(self)}")
        return numbers


class Windows:
    """All tokens in pieces of one length and the one behind each: what a causal model reads, and the last that it is to say.

    So every token but the first is said once. What is behind the last whole piece is `dropped`.
    """

    def __init__(self, tokens: np.ndarray, offsets: np.ndarray, length: int) -> None:
        """`tokens` coded [all tokens], `offsets` int64 [documents + 1]. Raises ConfigError for a length below 1."""
        if length < 1:
            raise ConfigError(
                f"windows of {length} tokens were asked for: expected 1 or more. Give another length."
            )
        self.length, said = length, max(len(tokens) - 1, 0)
        self._count, self.dropped = divmod(said, length)
        self._coded, self._offsets = tokens, offsets

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """Some of them by their numbers, int64 [n]: ids int64 [n, length + 1]. Raises IndexError for one that there is not."""
        return ids_of(self._coded[self._places(numbers)])

    def documents(self, numbers: np.ndarray) -> np.ndarray:
        """Which document each of their tokens is of, int64 [n, length + 1]."""
        return np.searchsorted(self._offsets, self._places(numbers), side="right")

    def _places(self, numbers: np.ndarray) -> np.ndarray:
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"windows {numbers.min()} to {numbers.max()} of {len(self)}")
        return numbers[:, None] * self.length + np.arange(self.length + 1)


def _bit(kind: np.dtype) -> np.integer:
    return cast("np.integer", kind.type(1 << (8 * kind.itemsize - 1)))
