"""Rows of token ids without a Python object each: one flat integer array, memory-mapped, and where its rows begin."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np

from infra.errors import StoreError


class TokenShards(Sequence[Sequence[int]]):
    """`tokens` int32 [all tokens]; `offsets` int64 [rows + 1], the first is 0. A row is a view, int32 [its tokens]."""

    def __init__(self, tokens: np.ndarray, offsets: np.ndarray) -> None:
        self.tokens, self.offsets = tokens, offsets

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Self:
        """Rows that are in memory, for few."""
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        offsets = np.concatenate([np.zeros(1, dtype=np.int64), lengths]).cumsum()
        return cls(np.fromiter(_flat(rows), dtype=np.int32, count=int(offsets[-1])), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Sequence[int]:  # type: ignore[override]  # rows one by one
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return cast("Sequence[int]", self.tokens[self.offsets[row] : self.offsets[row + 1]])

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, int64 [rows]."""
        return np.diff(self.offsets)


def scratch_shards(batches: Iterable[Sequence[Sequence[int]]], folder: Path) -> TokenShards:
    """Rows as shards in a nameless file of `folder`, which goes with the process: what is held in memory is one batch.

    Raises StoreError when the disk does not take them.
    """
    lengths: list[np.ndarray] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            for batch in batches:
                lengths.append(np.fromiter(map(len, batch), dtype=np.int64, count=len(batch)))
                np.fromiter(_flat(batch), dtype=np.int32, count=int(lengths[-1].sum())).tofile(file)
            offsets = np.concatenate([np.zeros(1, dtype=np.int64), *lengths]).cumsum()
            tokens = np.empty(0, dtype=np.int32)
            if offsets[-1]:  # an empty file cannot be mapped
                # As a plain array: a slice of NumPy's own class for maps costs five times as much.
                tokens = np.asarray(np.memmap(file, dtype=np.int32, mode="r"))
    except OSError as error:
        raise StoreError(
            f"token ids could not be written to {folder} ({error}). Free some space or make the folder writable, then run "
            "again."
        ) from error
    return TokenShards(tokens, offsets)


def _flat(batch: Sequence[Sequence[int]]) -> Iterator[int]:
    for row in batch:
        yield from row
