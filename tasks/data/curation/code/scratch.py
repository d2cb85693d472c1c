"""Texts of a corpus on the disk while it is curated: each is read again by its number, and memory has eight bytes of it."""

from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np


class Scratch:
    """Blobs, one behind the other in a file that goes with the block. Read and not mapped: pages of a map count as memory."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("w+b", buffering=0)
        self._ends = array("Q", [0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, frames: TracebackType | None) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def extend(self, blobs: list[bytes]) -> None:
        """Add blobs behind those that are there; they have the next numbers."""
        self._file.seek(self._ends[-1])
        rest = memoryview(b"".join(blobs))
        while rest:
            rest = rest[self._file.write(rest) :]
        for blob in blobs:
            self._ends.append(self._ends[-1] + len(blob))

    def sizes(self) -> np.ndarray:
        """Bytes of each blob, int64 [n]."""
        return np.diff(np.array(self._ends, dtype=np.int64))

    def __getitem__(self, number: int) -> bytes:
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return self._file.read(end - start)

    def text(self, number: int) -> str:
        """A blob as text."""
        return self[number].decode("utf-8")
