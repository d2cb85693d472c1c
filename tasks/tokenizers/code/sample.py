"""Which texts of a stream are learned from: at most so many bytes, picked evenly, whatever the order of the files.

A text's place is a number that its digest gives. Two passes are made: the first adds up the bytes at each place, the second
gives out the texts at the first places, as many as the bytes allow. No text is kept and no list of them: memory stays flat.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from infra.errors import DataError

PLACES = 1 << 16

Stream = Callable[[], Iterable[list[str]]]


def sampled(texts: Stream, most_bytes: int, seed: int) -> Iterator[list[str]]:
    """Batches of the texts that were picked, in order: at most `most_bytes` of UTF-8. Each `texts()` starts anew.

    The same text has the same place at each of its occurrences. Raises DataError when there is no text, or none fits.
    """
    counted = np.zeros(PLACES, dtype=np.int64)
    for batch in texts():
        for raw in map(str.encode, batch):
            counted[_place(raw, seed)] += len(raw)
    if not counted.any():
        raise DataError("the training split has no text: expected some to learn from. Look at the rows.")
    places = int(np.searchsorted(counted.cumsum(), most_bytes, side="right"))
    if not counted[:places].any():
        raise DataError(
            f"no text of the training split was picked with most_bytes={most_bytes:,}: expected at least one, and "
            f"{int(counted.sum()):,} bytes are there. Raise most_bytes."
        )
    return _picked(texts, places, seed)


def _picked(texts: Stream, places: int, seed: int) -> Iterator[list[str]]:
    for batch in texts():
        yield batch if places == PLACES else [text for text in batch if _place(text.encode(), seed) < places]


def _place(raw: bytes, seed: int) -> int:
    """From 0 to PLACES - 1."""
    return int.from_bytes(hashlib.blake2b(raw, digest_size=2, salt=seed.to_bytes(16, "big")).digest(), "big")
