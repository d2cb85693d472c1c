"""What a masked language model would write in a gap: the quickest look at what it knows."""

from typing import NamedTuple, cast

import torch
from transformers import PreTrainedTokenizerBase

from infra.errors import DataError
from tasks.formats.rust_panics import tokenizing
from tasks.models.device import on_device
from tasks.models.masked_lm import MaskedLanguageModel


class Fill(NamedTuple):
    """A token and its probability, 0 to 1."""

    token: str
    probability: float


def fills(
    model: MaskedLanguageModel, tokenizer: PreTrainedTokenizerBase, text: str, k: int = 5
) -> list[Fill]:
    """The `k` likeliest tokens where `text` has the mask token, likeliest first; in float32 and evaluation mode.

    Raises DataError unless `text` has the mask token once, within what the model can read.
    """
    with tokenizing(tokenizer.name_or_path):
        ids = torch.tensor([tokenizer(text, truncation=True, max_length=model.max_length)["input_ids"]])
    gap = ids == tokenizer.mask_token_id
    if gap.sum() != 1:
        raise DataError(
            f"{text!r} has {tokenizer.mask_token} {int(gap.sum())} times within {model.max_length} tokens: expected it once. "
            "Write it where a word is to be found."
        )
    was_training = model.training
    model.eval()
    with on_device(model) as device, torch.inference_mode():
        likely = model(ids.to(device), None, gap.to(device)).logits[0].softmax(dim=-1).topk(k)
    model.train(was_training)
    return [
        Fill(cast(str, tokenizer.decode([token])), probability)
        for token, probability in zip(likely.indices.tolist(), likely.values.tolist(), strict=True)
    ]
