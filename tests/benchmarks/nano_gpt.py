"""A GPT-2 in plain PyTorch and a plain loop around it, in the manner of nanoGPT: what our training is measured against.

Both are tuned by hand: attention in one kernel, biases within the products, positions sliced, AdamW in one kernel, batches cut
from a memory-mapped file, nothing between the model and its loss. No framework, no checkpoints, no evaluation.
"""

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

from tasks.formats.token_blocks import Ids
from tests.benchmarks.step_times import Steps

RATE, DECAY, BETAS, NORM, WARM_UP = 1e-3, 0.1, (0.9, 0.95), 1.0, 20


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [batch, length, width] to the same."""
        batch, length, width = x.shape
        whole = self.attention(self.ln_1(x)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = whole.permute(2, 0, 3, 1, 4)
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(read.transpose(1, 2).reshape(batch, length, width))
        return x + self.narrow(functional.relu(self.wide(self.ln_2(x))).square())


class NanoGpt(nn.Module):
    """A GPT-2 with the matrix of its embeddings for a head, and the square of ReLU between its feed-forward matrices."""

    def __init__(self, vocabulary: int, context: int, layers: int, width: int, heads: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean negative log likelihood of `labels`, in nats; both int64 [batch, length]."""
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x)
        logits = functional.linear(self.ln_f(x), self.wte.weight)
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def like(model: GPT2LMHeadModel) -> NanoGpt:
    """With the shape and the weights of a model of transformers whose activation is relu2."""
    config, body = model.config, model.transformer
    made = NanoGpt(config.vocab_size, config.n_positions, config.n_layer, config.n_embd, config.n_head)
    made.wte, made.wpe, made.ln_f = body.wte, body.wpe, body.ln_f
    for own, theirs in zip(made.layers, body.h, strict=True):
        own.ln_1, own.ln_2 = theirs.ln_1, theirs.ln_2
        _take_over(own.attention, theirs.attn.c_attn)
        _take_over(own.projection, theirs.attn.c_proj)
        _take_over(own.wide, theirs.mlp.c_fc)
        _take_over(own.narrow, theirs.mlp.c_proj)
    return made


def _take_over(own: nn.Linear, theirs: Conv1D) -> None:
    """A matrix, which transformers has the other way about, and a bias."""
    with torch.no_grad():
        own.weight.copy_(theirs.weight.T)
        own.bias.copy_(theirs.bias)


def plain_seconds(model: NanoGpt, tokens: Ids, context: int, steps: Steps, bf16: bool) -> float:
    """Seconds of a step of a plain loop, over tokens that are drawn at random places."""
    places = torch.Generator().manual_seed(0)
    optimizer = _optimizer(model)
    model.train()
    at: dict[int, float] = {}
    for step in range(1, steps.total + 1):
        factor = min(1.0, step / WARM_UP) * (1 + math.cos(math.pi * step / steps.total)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * factor
        starts = torch.randint(len(tokens) - context, (steps.batch_size,), generator=places).tolist()
        ids = torch.from_numpy(np.stack([tokens[start : start + context + 1] for start in starts]))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(ids[:, :-1], ids[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        at[step] = time.perf_counter()
    return steps.mean_of(at)


def _optimizer(model: NanoGpt) -> torch.optim.AdamW:
    """In one kernel; biases and norms do not decay."""
    matrices = [value for value in model.parameters() if value.ndim > 1]
    vectors = [value for value in model.parameters() if value.ndim < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, betas=BETAS, fused=True)
