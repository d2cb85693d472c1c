"""Masked documents that every model is measured by, in `frozen.safetensors`: what is asked never changes.

    input_ids   int64 [documents, length], padded on the right
    labels      int64 [documents, length]: the true id where it is asked for, -100 elsewhere

The header has `pad_id`. Padding is what stands after the last id of a row that is not `pad_id`, so the attention mask of
`input_ids` is 1 up to there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from infra.errors import ArtifactError, StoreError

FROZEN_FILE = "frozen.safetensors"


class FrozenMasks(NamedTuple):
    """See the head of this module; `pad_id` is what fills up short rows."""

    input_ids: np.ndarray
    labels: np.ndarray
    pad_id: int

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document, int64 [documents]."""
        used = self.input_ids != self.pad_id
        return np.where(used.any(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1), 0)

    @property
    def attention_mask(self) -> np.ndarray:
        """1 for a document's tokens, 0 for padding, int64 [documents, length]."""
        return (np.arange(self.input_ids.shape[1]) < self.lengths[:, None]).astype(np.int64)

    def batches(self, size: int) -> Iterator["FrozenMasks"]:
        """All documents, the longest first, `size` at once, cut to the longest of them."""
        order = np.argsort(-self.lengths, kind="stable")
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            longest = self.lengths[rows[0]]
            yield FrozenMasks(self.input_ids[rows, :longest], self.labels[rows, :longest], self.pad_id)


def write_frozen(folder: Path, frozen: FrozenMasks) -> None:
    """Write `frozen.safetensors`; raises StoreError when the disk does not take it."""
    tensors = {"input_ids": frozen.input_ids, "labels": frozen.labels}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / FROZEN_FILE, metadata={"pad_id": str(frozen.pad_id)})
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"masked documents could not be written to {folder} ({error}). Free some space or make the folder writable, "
            "then run again."
        ) from error


def read_frozen(folder: Path) -> FrozenMasks:
    """Read what `write_frozen` wrote; raises ArtifactError when it is not there or damaged."""
    path = folder / FROZEN_FILE
    try:
        with safe_open(path, "np") as file:
            found = FrozenMasks(
                file.get_tensor("input_ids"), file.get_tensor("labels"), int(file.metadata()["pad_id"])
            )
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}: {error}): expected input_ids, labels and pad_id of masked "
            "documents. Make it again."
        ) from error
    if found.input_ids.shape != found.labels.shape or found.input_ids.ndim != 2:
        raise ArtifactError(
            f"{path} has input_ids {found.input_ids.shape} and labels {found.labels.shape}: expected two arrays of documents "
            "by length. Make it again."
        )
    return found
