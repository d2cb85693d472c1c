"""Files that say the same: equal but for blanks, or with nearly the same words.

Near: Jaccard similarity of the sets of words, as CodeParrot's deduplication and Allamanis, "The adverse effects of code
duplication in machine learning models of code" (2019), take it; a change of layout or of a few names does not hide a copy.

Of copies in several splits the one that is held out stays, test before validation before train; in one split the first.
"""

import hashlib
from collections.abc import Callable, Collection
from functools import lru_cache

import numpy as np
from rensa import RMinHash, RMinHashLSH
from tqdm import tqdm

from tasks.data.curation.code.words import words_of
from tasks.data.curation.near import MAX_BAND_COLLISIONS, SEED, banding, jaccard

DIGEST = 16  # bytes
HELD = 256  # sets of words that are in memory at a time


def content_digest(text: str) -> bytes:
    """The same for files that are equal but for blanks."""
    return hashlib.sha256("".join(text.split()).encode()).digest()[:DIGEST]


def set_digest(words: Collection[str]) -> bytes:
    """The same for files with the same set of words."""
    return hashlib.sha256(" ".join(sorted(words)).encode()).digest()[:DIGEST]


def hashes_of(threshold: float) -> int:
    """Hashes of a signature with which files of this similarity are found."""
    bands, width = banding(threshold)
    return bands * width


def sign(words: set[str], hashes: int) -> bytes:
    """The MinHash of a set of words as it lies on the disk: the library's own state, which is numbers alone."""
    return bytes(RMinHash.from_token_sets([words], hashes, SEED)[0].__getstate__())


def equal_to(digests: np.ndarray, order: np.ndarray) -> np.ndarray:
    """For each file the first one, in `order` (int64, numbers of files), with its digest; int64 [n], itself where it is first.

    A file that is not in `order` is not looked at and stays its own.
    """
    like = np.arange(len(digests))
    _, first, which = np.unique(digests[order], return_index=True, return_inverse=True)
    like[order] = order[first[which]]
    return like


def near_to(
    threshold: float,
    order: np.ndarray,
    words: np.ndarray,
    signature: Callable[[int], bytes],
    text: Callable[[int], str],
) -> np.ndarray:
    """For each file the first one before it in `order` that stays and has nearly its words, int64 [n]; itself without one.

    `signature` gives what `sign` made of a file, with the hashes of this threshold, and `text` its text.
    `words` are digests of the sets of words, so that equal sets are found whatever there are of them; near ones by MinHash
    (`near.banding`: all but one pair in a million), unless a file is like `MAX_BAND_COLLISIONS` others, and then the exact
    similarity decides. In memory are the signatures of files that stay; texts are read again for what is proposed.
    """
    like = equal_to(words, order)
    bands, width = banding(threshold)
    index = RMinHashLSH(threshold=threshold, num_perm=bands * width, num_bands=bands)

    @lru_cache(maxsize=HELD)
    def words_in(number: int) -> set[str]:
        return set(words_of(text(number)))

    for number in tqdm(
        map(int, order), "near duplicates", len(order), unit=" files", leave=False, disable=None
    ):
        if like[number] != number:
            continue
        minhash = RMinHash(bands * width, SEED)
        minhash.__setstate__(signature(number))
        proposed = index.query(minhash)
        own = words_in(number) if proposed else set[str]()
        twin = next((one for one in sorted(proposed) if jaccard(own, words_in(one)) >= threshold), None)
        if twin is not None:
            like[number] = twin
        elif len(proposed) < MAX_BAND_COLLISIONS:
            index.insert(number, minhash)
    return np.asarray(like[like])  # who is equal to a file that went, is like the one that stays for that
