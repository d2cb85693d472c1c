"""What the training of a GPT-2 of each size holds, computed: parameters, gradients, optimizers' state, activations.

    python -m tests.benchmarks.gpt_memory

The real model's real forward pass is run on tensors that have shapes and no memory, and what it keeps for the backward pass is
added up, each storage once. So nothing is estimated but what comes and goes within the backward pass.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import GPT2LMHeadModel

from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.models.gpt.fresh import gpt_config
from tasks.models.gpt.model import Gpt
from tasks.training.causal_lm.objective import CausalLmObjective
from tasks.training.causal_lm.speed import flops_per_token
from tasks.training.loop.objective import OptimizerKind
from tests.benchmarks.tables import table

FLOAT, MOMENTS = 4, {"adamw": 8, "muon": 4}  # bytes: of a float32; of a parameter's moments
GB = 1e9


class Held(NamedTuple):
    """Bytes that stay, whatever is read, and of one more window; `again`: with gradient checkpointing."""

    parameters: int
    muon: int  # parameters that Muon moves, where it is asked for
    fixed: int  # of the forward pass: weights in bfloat16
    window: int
    window_again: int
    operations: float  # of a token, forward and backward

    def state(self, optimizer: OptimizerKind) -> int:
        """Weights, gradients and moments, all in float32."""
        moved = self.muon if optimizer == "muon" else 0
        moments = MOMENTS["muon"] * moved + MOMENTS["adamw"] * (self.parameters - moved)
        return 2 * FLOAT * self.parameters + moments


def held_by(size: Size) -> Held:
    """Of a size, in bfloat16 where the loop computes in it."""
    shape = SHAPES[size]
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = Gpt(GPT2LMHeadModel(gpt_config(GptConfig(size=size), shape.vocabulary, 0)))
        groups = CausalLmObjective(None, np.array([]), optimizer="muon").groups(model)  # type: ignore[arg-type]
        moved = [value for group in groups if group.optimizer == "muon" for value in group.parameters]
        # From two windows on: what is copied of several may be a view of one alone.
        few, more = kept_by(model, 2), kept_by(model, 3)
        one_layer, two_layers = (kept_by(model, 3, layers) - kept_by(model, 2, layers) for layers in (1, 2))
    window, layer = more - few, two_layers - one_layer
    given = FLOAT * shape.context * shape.width  # to a layer: all that is kept of it with checkpointing
    return Held(
        parameters=model.parameter_count,
        muon=sum(value.numel() for value in moved),
        fixed=few - 2 * window,
        window=window,
        window_again=window - (shape.layers - 1) * layer + shape.layers * given,
        operations=flops_per_token(model),
    )


def kept_by(model: Gpt, windows: int, layers: int | None = None) -> int:
    """Bytes that the forward pass of so many windows leaves for the backward pass, but for the parameters themselves."""
    body = model.model.transformer
    all_layers = body.h
    body.h = nn.ModuleList(list(all_layers)[:layers])
    ids = torch.zeros(windows, model.context, dtype=torch.int64)
    with counted(model) as storages, torch.autocast("cpu", torch.bfloat16):
        model(ids, ids)
    body.h = all_layers
    return sum(storages.values())


@contextmanager
def counted(model: nn.Module) -> Iterator[dict[int, int]]:
    """Bytes by storage of what is saved inside."""
    own = {value.untyped_storage()._cdata for value in model.parameters()}
    found: dict[int, int] = {}
    alive: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield found


def described(sizes: Sequence[Size]) -> str:
    """A row a size; memory in GB."""
    rows = []
    for size in sizes:
        held = held_by(size)
        rows.append([
            f"`{size}`",
            f"{held.parameters / 1e6:,.1f}",
            f"{held.state('adamw') / GB:,.2f}",
            f"{held.state('muon') / GB:,.2f}",
            f"{held.fixed / GB:,.2f}",
            f"{held.window / GB:,.3f}",
            f"{held.window_again / GB:,.3f}",
            f"{held.operations / 1e9:,.2f}",
        ])  # fmt: skip
    head = [
        "size",
        "million parameters",
        "state, AdamW",
        "state, Muon",
        "weights in bfloat16",
        "a window",
        "a window, again",
        "GFLOP a token",
    ]
    return table(head, rows)


if __name__ == "__main__":
    sys.stdout.write(described(list(SHAPES)) + "\n")
