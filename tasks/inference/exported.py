"""The inputs of an exported graph, the same for every runtime: texts by the tokenizer beside it."""

from collections.abc import Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer

from tasks.formats.rust_panics import tokenizing

Feeds = dict[str, np.ndarray]  # `input_ids` and `attention_mask`, int64 [batch, sequence]


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> Feeds:
    """The graph's inputs for `texts` as one batch, cut and padded as the tokenizer says.

    Raises ArtifactError when the tokenizer fails at a text.
    """
    with tokenizing("an exported model"):
        return feeds_of(tokenizer.encode_batch_fast(list(texts)))


def feeds_of(rows: Sequence[Encoding]) -> Feeds:
    """The graph's inputs for encoded texts of one length."""
    return {
        "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
        "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
    }
