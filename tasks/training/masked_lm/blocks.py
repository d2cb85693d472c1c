"""What a masked language model learns from: blocks of one length, and how often each token stands in them."""

from typing import Protocol

import numpy as np

from tasks.training.masked_lm.masking import Vocabulary

AT_ONCE = 4096  # blocks that are counted together


class Blocks(Protocol):
    """Packed text in pieces of one length."""

    def __len__(self) -> int:
        """How many blocks there are."""

    def __getitem__(self, numbers: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """Some of them by their numbers, int64 [n]: ids int64 [n, length], and which start a word, bool [n, length]."""


def token_counts(blocks: Blocks, vocabulary: Vocabulary) -> np.ndarray:
    """How often each token stands in the blocks, int64 [vocabulary]; 0 for special ones, which no label is."""
    counts = np.zeros(vocabulary.size, dtype=np.int64)
    for start in range(0, len(blocks), AT_ONCE):
        ids, _ = blocks[np.arange(start, min(start + AT_ONCE, len(blocks)))]
        counts += np.bincount(ids.ravel(), minlength=vocabulary.size)
    counts[vocabulary.is_special] = 0
    return counts
