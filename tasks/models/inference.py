"""Vectors and logits of many texts at once, in batches of like length so that little is spent on padding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from tasks.models.batching import encode, pad
from tasks.models.device import on_device
from tasks.models.model import SentenceClassifier


class Answers(NamedTuple):
    """`vectors` float32 [n, hidden], of length one; `logits` float32 [n, labels]; ordered as the texts."""

    vectors: np.ndarray
    logits: np.ndarray


def embed_and_classify(
    model: SentenceClassifier, rows: Sequence[Sequence[int]], pad_id: int, batch_size: int = 128
) -> Answers:
    """Run `model` in evaluation mode over rows of token ids on accelerate's device; leaves mode and device as they were.

    It computes in float32, or as the caller's autocast for that device says.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    vectors = np.empty((len(rows), model.head.in_features), dtype=np.float32)
    logits = np.empty((len(rows), model.head.out_features), dtype=np.float32)
    was_training = model.training
    model.eval()
    with (
        on_device(model) as device,
        torch.inference_mode(),
        tqdm(total=len(rows), desc="answers", unit="row", leave=False, disable=None) as bar,
    ):
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, mask = pad([rows[i] for i in chosen], pad_id)
            output = model(ids.to(device), mask.to(device))
            vectors[chosen] = output.vectors.float().cpu().numpy()
            logits[chosen] = output.logits.float().cpu().numpy()
            bar.update(len(chosen))
    model.train(was_training)
    return Answers(vectors, logits)


def answer_texts(
    model: SentenceClassifier, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int
) -> Answers:
    """Vectors and logits of `texts`, each cut to `max_length` tokens."""
    return embed_and_classify(model, encode(tokenizer, texts, max_length), tokenizer.pad_token_id)
