"""Texts to token ids, and rows of ids to padded batches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from tasks.formats.rust_panics import tokenizing
from tasks.formats.token_shards import TokenShards, scratch_shards

AT_ONCE = 10_000  # texts that are tokenized together on their way to the disk


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of each text with special tokens, cut to `max_length` tokens; nothing is padded.

    Raises ArtifactError when the tokenizer fails at a text.
    """
    if not texts:
        return []
    with tokenizing(tokenizer.name_or_path):
        return tokenizer(list(texts), truncation=True, max_length=max_length, padding=False)["input_ids"]


def encode_to_disk(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, folder: Path
) -> TokenShards:
    """The same in a nameless file of `folder`: a million texts take no more memory than ten thousand.

    Raises StoreError when the disk does not take them, and what `encode` raises.
    """
    parts = (texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE))
    return scratch_shards((encode(tokenizer, part, max_length) for part in parts), folder)


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask of rows, int64 [batch, longest row]: dynamic padding, on the right."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), longest), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
