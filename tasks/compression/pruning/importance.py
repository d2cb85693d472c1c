"""How much each attention head and each feed-forward unit of an encoder matters.

Two answers: `norm_importance` looks at the weights alone and costs nothing; `taylor_importance` asks real text what the
loss would lose without them, to first order, for a forward and a backward pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from tasks.models.architecture import Architecture, architecture_of
from tasks.models.device import on_device
from tasks.models.model import SentenceClassifier
from tasks.training.loop.objective import Draw
from tasks.training.text_objective import LabelledBatch, LabelledRows


class Importance(NamedTuple):
    """One float tensor a layer: of its heads [heads], of its units [units]."""

    heads: list[torch.Tensor]
    units: list[torch.Tensor]


def unit_norms(up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Importance, float [units], of feed-forward units from `up` [units, hidden] and `down` [hidden, units].

    The norm of a unit's row of `up` times that of its column of `down`: how strongly it can be driven times how strongly
    it drives.
    """
    return up.norm(dim=1) * down.norm(dim=0)


def head_norms(value: torch.Tensor, mix: torch.Tensor, size: int) -> torch.Tensor:
    """The same, float [heads], of heads of `size` from `value` [heads * size, hidden] and `mix` [hidden, heads * size]."""
    return value.reshape(-1, size * value.shape[1]).norm(dim=1) * mix.T.reshape(-1, size * mix.shape[0]).norm(
        dim=1
    )


def norm_importance(model: SentenceClassifier) -> Importance:
    """Products of norms for every layer."""
    names = architecture_of(model.body)
    found = Importance([], [])
    for layer in names.layers_of(model.body):
        value, mix, up, down = (
            names.matrix(layer, name).weight.detach()
            for name in (names.value, names.attention_output, names.intermediate, names.output)
        )
        found.heads.append(head_norms(value, mix, names.head_size(model.body)))
        found.units.append(unit_norms(up, down))
    return found


def taylor_importance(
    model: SentenceClassifier, objective: LabelledRows, batches: Iterable[np.ndarray]
) -> Importance:
    """Mean over the texts of |dL/dxi|, where xi = 1 multiplies the output of a head or unit.

    Michel, Levy & Neubig 2019, Are Sixteen Heads Really Better than One?, section 4.1: the first-order estimate of what
    the loss changes by when xi becomes 0. Each layer's are divided by their L2 norm, as there. `batches` are row numbers of
    the objective's. The model's weights and their gradients are left as they were, and what is returned is on the CPU.
    """
    names = architecture_of(model.body)
    layers = names.layers_of(model.body)
    sums: list[torch.Tensor] = []
    was_training = model.training
    model.eval()
    with on_device(model) as device:
        for batch in batches:
            given = LabelledBatch(
                *(value.to(device) for value in objective.batch(batch, Draw(seed=0, epoch=0)))
            )
            with _gates(layers, names, names.head_size(model.body), len(batch)) as gates:
                (term,) = objective.loss(model, given).values()
                gradients = torch.autograd.grad(term.total, gates)  # of a sum over the batch: each text's own
            found = [gradient.abs().sum(dim=(0, 1)) for gradient in gradients]
            sums = found if not sums else [old + new for old, new in zip(sums, found, strict=True)]
    model.train(was_training)
    each = [(total / total.norm().clamp(min=1e-12)).cpu() for total in sums]
    return Importance(each[0::2], each[1::2])


def most_important(importance: Sequence[torch.Tensor], count: int) -> list[torch.Tensor]:
    """Ids int64 [count], ascending, of what matters most in each layer."""
    return [layer.topk(count).indices.sort().values for layer in importance]


@contextmanager
def _gates(
    layers: nn.ModuleList, names: Architecture, head_size: int, texts: int
) -> Iterator[list[torch.Tensor]]:
    """Ones that multiply what heads and units give: float [texts, 1, heads] and [texts, 1, units] of each layer."""
    gates: list[torch.Tensor] = []
    hooks = []
    for layer in layers:
        for name, size in ((names.attention_output, head_size), (names.output, 1)):
            reader = names.matrix(layer, name)
            shape = texts, 1, reader.in_features // size
            gate = torch.ones(shape, device=reader.weight.device, requires_grad=True)
            gates.append(gate)
            hooks.append(reader.register_forward_pre_hook(_multiply(gate, size)))
    try:
        yield gates
    finally:
        for hook in hooks:
            hook.remove()


def _multiply(gate: torch.Tensor, size: int) -> Callable[[nn.Module, tuple[torch.Tensor]], torch.Tensor]:
    def multiply(module: nn.Module, inputs: tuple[torch.Tensor]) -> torch.Tensor:
        return inputs[0] * gate.repeat_interleave(size, dim=2)

    return multiply
