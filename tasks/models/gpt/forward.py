"""GPT-2's forward pass over whole blocks, without a cache, for training and evaluation; the weights are transformers' own.

It computes what `GPT2Model.forward` computes (a test holds them together), in fewer passes over memory: biases within the
products, positions added without being looked up, and attention of short blocks on a CPU as products in a row, because the
fused kernel's backward pass is slow there.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

import torch
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import GPT2Model
from transformers.models.gpt2.modeling_gpt2 import GPT2Block
from transformers.pytorch_utils import Conv1D

LONGEST = 512  # tokens of a block up to which products in a row are quicker on a CPU


def hidden_states(
    body: GPT2Model, input_ids: torch.Tensor, documents: torch.Tensor | None = None, again: bool = False
) -> torch.Tensor:
    """The last hidden states, float [batch, length, width].

    Args:
        body: the model without its head.
        input_ids: int64 [batch, length]; rows are not padded.
        documents: int64 [batch, length], which document each position is of: none reads another; None: all are one.
        again: compute each layer again in the backward pass, to hold less.
    """
    length = input_ids.shape[1]
    states = body.wte(input_ids) + body.wpe.weight[:length]
    apart = None if documents is None else documents[:, None, :, None] != documents[:, None, None, :]
    for layer in cast(Iterable[GPT2Block], body.h):
        if again and torch.is_grad_enabled():
            states = checkpoint(_layer, layer, states, apart, use_reentrant=False)
        else:
            states = _layer(layer, states, apart)
    return body.ln_f(states)


def _layer(layer: GPT2Block, states: torch.Tensor, apart: torch.Tensor | None) -> torch.Tensor:
    states = states + _attention(layer, layer.ln_1(states), apart)
    inner = layer.mlp.act(_product(layer.mlp.c_fc, layer.ln_2(states)))
    return states + _product(layer.mlp.c_proj, inner)


def _attention(layer: GPT2Block, states: torch.Tensor, apart: torch.Tensor | None) -> torch.Tensor:
    batch, length, width = states.shape
    heads = layer.attn.num_heads
    whole = _product(layer.attn.c_attn, states).view(batch, length, 3, heads, width // heads)
    query, key, value = whole.permute(2, 0, 3, 1, 4)
    read = _read(query, key, value, apart).transpose(1, 2).reshape(batch, length, width)
    return _product(layer.attn.c_proj, read)


def _read(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, apart: torch.Tensor | None
) -> torch.Tensor:
    """What each position reads of itself and those before it: float [batch, heads, length, size], as the three have it.

    `apart` bool [batch, 1, length, length] says which positions are of different documents.
    """
    length, size = query.shape[-2:]
    if query.device.type != "cpu" or length > LONGEST:
        allowed = None if apart is None else ~(apart | _later(length, query.device))
        return scaled_dot_product_attention(query, key, value, allowed, is_causal=allowed is None)
    scores = (query * size**-0.5) @ key.transpose(-1, -2)
    # In place: the product's own values are of no use on the way back.
    scores += _barred(length, scores.dtype)
    if apart is not None:
        scores = scores.masked_fill(apart, float("-inf"))
    return scores.softmax(dim=-1) @ value


def _product(matrix: Conv1D, states: torch.Tensor) -> torch.Tensor:
    """By a `Conv1D` of transformers, a linear layer whose matrix lies the other way about."""
    return linear(states, matrix.weight.t(), matrix.bias)


@lru_cache(maxsize=4)
def _later(length: int, device: torch.device) -> torch.Tensor:
    """Which positions one must not read, bool [length, length]: those behind it."""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


@lru_cache(maxsize=4)
def _barred(length: int, dtype: torch.dtype) -> torch.Tensor:
    """The same as what is added to scores: 0, or minus infinity."""
    return torch.full((length, length), float("-inf"), dtype=dtype).triu(1)
