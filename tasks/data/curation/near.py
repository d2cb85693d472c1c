"""Near-same texts: MinHash and banding (rensa) propose, the exact Jaccard similarity of their parts decides.

MinHash: A. Broder, "On the resemblance and containment of documents", 1997; banding: Leskovec, Rajaraman and
Ullman, "Mining of Massive Datasets", section 3.4.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from rensa import RMinHash, RMinHashLSH

GRAM = 5
SEED = 1  # of the hash functions; which pairs are found does not depend on it but for the misses below
MISSES = 1e-6  # chance that a pair right at the threshold shares no band
MOST_BANDS = 32
MAX_BAND_COLLISIONS = 32  # texts that share a band with a new one, from which on the new one is not indexed
CHUNK = 4096


def grams(key: str) -> set[str]:
    """Character 5-grams; a shorter text is one gram."""
    return {key[i : i + GRAM] for i in range(max(1, len(key) - GRAM + 1))}


def jaccard(left: set[str], right: set[str]) -> float:
    """Size of the intersection over size of the union."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def banding(threshold: float) -> tuple[int, int]:
    """(bands, hashes a band), with the most hashes a band that still miss one pair in a million at most.

    A pair of similarity s shares a band of r hashes with chance s^r: b bands miss it with chance (1 - s^r)^b.
    More hashes a band propose fewer pairs that are then turned down.
    """
    for width in (8, 4, 2):
        bands = math.ceil(math.log(MISSES) / math.log1p(-(min(threshold, 0.999) ** width)))
        if bands <= MOST_BANDS:
            return bands, width
    return math.ceil(math.log(MISSES) / math.log1p(-threshold)), 1


class Signed(NamedTuple):
    """A text ready to be looked up: its comparison key, that key's parts and their MinHash."""

    key: str
    parts: set[str]
    minhash: RMinHash


class NearIndex:
    """Texts by number, and which of them are near-same to a new one.

    Equal keys are always found. Near-same ones are too, but for one pair in a million, as long as a text is
    like fewer than `CROWD` others: of a million rows of one template only the first `CROWD` are compared
    with the rest, so that they cost a million steps and not their square.

    `parts` gives what is compared of a key: its 5-grams unless told otherwise. The parts of `chunk` keys are in
    memory at a time.
    """

    def __init__(
        self, threshold: float, parts: Callable[[str], set[str]] = grams, chunk: int = CHUNK
    ) -> None:
        self.threshold = threshold
        self.parts, self.chunk = parts, chunk
        # A text that is proposed again and again, as those of a template are, is taken apart once.
        self.candidate = lru_cache(maxsize=chunk)(parts)
        bands, width = banding(threshold)
        self.hashes = bands * width
        self.index = RMinHashLSH(threshold=threshold, num_perm=self.hashes, num_bands=bands)
        # Parts of a million texts would fill the memory: keys are kept, and a candidate's parts made anew.
        self.keys: dict[int, str] = {}
        self.numbers: dict[str, list[int]] = {}

    def sign(self, keys: Iterable[str]) -> Iterator[Signed]:
        """Comparison keys made ready, a few thousand at a time."""
        rest = iter(keys)
        while chunk := list(islice(rest, self.chunk)):
            sets = [self.parts(key) for key in chunk]
            yield from map(Signed, chunk, sets, RMinHash.from_token_sets(sets, self.hashes, SEED))

    def add(self, number: int, text: Signed) -> None:
        """Put a text in the index."""
        equal = self.numbers.setdefault(text.key, [])
        if not equal and len(self.index.query(text.minhash)) < MAX_BAND_COLLISIONS:
            self.keys[number] = text.key
            self.index.insert(number, text.minhash)
        equal.append(number)

    def matches(self, text: Signed) -> Iterator[int]:
        """Numbers of the texts with an equal key, then of near-same ones; smallest first in each."""
        yield from self.numbers.get(text.key, ())
        for number in sorted(self.index.query(text.minhash)):
            key = self.keys[number]
            if key != text.key and jaccard(text.parts, self.candidate(key)) >= self.threshold:
                yield from self.numbers[key]
