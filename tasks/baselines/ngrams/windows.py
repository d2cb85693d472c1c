"""The windows of an n-gram that predicts a token from both sides, and what stands in them around a labelled position."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from infra.errors import DataError

UNSEEN = -1  # in place of a token: hidden by [MASK], or beyond the document's ends
NOT_LABELLED = -100

Window = tuple[int, ...]
"""Where a context's tokens stand, counted from the predicted one: (-2, -1, 1) is two tokens before it and one after."""


class MaskedDocuments(Protocol):
    """Documents with frozen masks: `input_ids` and `labels` int64 [documents, length]; -100 where nothing is predicted."""

    @property
    def input_ids(self) -> np.ndarray:
        """What the model sees, padded at the right end."""

    @property
    def labels(self) -> np.ndarray:
        """The true token of each labelled position."""


def windows(order: int) -> list[Window]:
    """All windows inside `order` neighbouring places, the predicted one included, the widest first, the empty one last.

    Each side is a run of tokens that begins next to the predicted one, or one further: that neighbour may be hidden.
    """
    sides: list[Window] = [()]
    sides += [tuple(range(first, first + length)) for first in (1, 2) for length in range(1, order)]
    pairs = (
        (left, right)
        for left in sides
        for right in sides
        if max(left, default=0) + max(right, default=0) < order
    )
    found = [(*(-place for place in reversed(left)), *right) for left, right in pairs]
    return sorted(found, key=lambda window: (-len(window), sum(map(abs, window)), window))


@dataclass(frozen=True)
class Positions:
    """The labelled positions of a set: `targets` and what is `shown` there, int64 [positions]; `around` int64 [positions,
    2 reach + 1], the tokens from `reach` places before to `reach` after, UNSEEN where there is none to see."""

    targets: np.ndarray
    shown: np.ndarray
    around: np.ndarray

    @classmethod
    def hidden(cls, masked: MaskedDocuments, reach: int, mask_id: int, pad_id: int) -> Self:
        """As the model sees them: what other labelled positions show, of which [MASK] is nothing."""
        return cls._read(masked, masked.input_ids, reach, (mask_id, pad_id))

    @classmethod
    def clean(cls, masked: MaskedDocuments, reach: int, pad_id: int) -> Self:
        """With the true tokens of all other positions, which the model does not see."""
        true = np.where(masked.labels == NOT_LABELLED, masked.input_ids, masked.labels)
        return cls._read(masked, true, reach, (pad_id,))

    @classmethod
    def _read(cls, masked: MaskedDocuments, ids: np.ndarray, reach: int, nothing: tuple[int, ...]) -> Self:
        rows, columns = np.nonzero(masked.labels != NOT_LABELLED)
        tokens = np.where(np.isin(ids, nothing), UNSEEN, ids).astype(np.int64)
        padded = np.pad(tokens, ((0, 0), (reach, reach)), constant_values=UNSEEN)
        around = padded[rows[:, None], columns[:, None] + np.arange(2 * reach + 1)]
        return cls(
            masked.labels[rows, columns].astype(np.int64),
            masked.input_ids[rows, columns].astype(np.int64),
            around,
        )

    def contexts(self, window: Window) -> np.ndarray:
        """The key of each position's context in `window`, uint64 [positions]; with something unseen, one that no text has."""
        reach = self.around.shape[1] // 2
        return context_keys([self.around[:, reach + place] for place in window], len(self.targets))


def context_keys(columns: Sequence[np.ndarray], length: int) -> np.ndarray:
    """One 64-bit key for the tokens of each context, uint64 [length]; `columns` are its tokens, int64 [length] each.

    A product by an odd constant for each token, then the finaliser of SplitMix64 (Steele, Lea & Flood 2014). That one
    of 50 million contexts has the key of one of 100,000 others has a chance of 3e-7.
    """
    keys = np.zeros(length, dtype=np.uint64)
    for column in columns:
        keys *= np.uint64(0x9E3779B97F4A7C15)
        keys += (column + 1).astype(np.uint64)
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def check_masked(name: str, masked: MaskedDocuments, vocabulary: int) -> None:
    """Raises DataError unless the arrays are of one shape [documents, length], with labels, of this vocabulary."""
    ids, labels = masked.input_ids, masked.labels
    if ids.ndim != 2 or ids.shape != labels.shape:
        raise DataError(
            f"the {name} set has input_ids of shape {ids.shape} and labels of {labels.shape}: expected two arrays of one "
            "shape, [documents, length]. Freeze its masks again."
        )
    targets = labels[labels != NOT_LABELLED]
    if not targets.size:
        raise DataError(
            f"the {name} set has no labelled position in {len(ids)} documents: expected some to predict. Give it more or "
            "longer documents, or raise the rate of masks."
        )
    lowest, highest = min(targets.min(), ids.min()), max(targets.max(), ids.max())
    if lowest < 0 or highest >= vocabulary:
        raise DataError(
            f"the {name} set has token ids from {lowest} to {highest}: expected 0 to {vocabulary - 1}, the vocabulary. "
            "Freeze its masks with the tokenizer of the training tokens."
        )
