"""AdamW with a rate of its own for the head, and its state as flat tensors for a checkpoint."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from tasks.training.config import LoopConfig


def build_optimiser(
    model: nn.Module, config: LoopConfig, rate_factors: Mapping[str, float] | None = None
) -> AdamW:
    """AdamW (Loshchilov & Hutter 2019) over the trainable parameters.

    Biases, norms and the head do not decay: the first two have no scale to hold down, and the head starts at
    the solution of a logistic regression that has its own penalty. Nor do parameters whose name ends as one of
    `rate_factors` says, which learn at that multiple of the rate. Each group keeps its peak rate as `peak`.
    """
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    head: list[nn.Parameter] = []
    apart: dict[str, list[nn.Parameter]] = {ending: [] for ending in rate_factors or {}}
    for name, parameter in model.named_parameters():
        ending = next((ending for ending in apart if name.endswith(ending)), None)
        if ending is not None:
            apart[ending].append(parameter)
        elif parameter.requires_grad:
            kind = head if name.startswith("head.") else vectors if parameter.ndim < 2 else matrices
            kind.append(parameter)
    rate, head_rate = config.learning_rate, config.learning_rate * config.head_rate_factor
    groups = [
        {"params": matrices, "lr": rate, "peak": rate, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": rate, "peak": rate, "weight_decay": 0.0},
        {"params": head, "lr": head_rate, "peak": head_rate, "weight_decay": 0.0},
    ]
    for ending, factor in (rate_factors or {}).items():
        own = rate * factor
        groups.append({"params": apart[ending], "lr": own, "peak": own, "weight_decay": 0.0})
    return AdamW([group for group in groups if group["params"]], eps=1e-6)


def set_rate(optimiser: Optimizer, factor: float) -> None:
    """Set every group's rate to `factor` of its peak."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * factor


def optimiser_tensors(optimiser: Optimizer) -> dict[str, torch.Tensor]:
    """Moments and step counts by name `{parameter number}.{key}`: the optimiser's own tensors, not copies."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{key}": value for number, values in state.items() for key, value in values.items()}


def restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `optimiser_tensors` took."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
