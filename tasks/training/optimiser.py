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
    apart, rate = rate_factors or {}, config.learning_rate
    factors = {"matrices": 1.0, "vectors": 1.0, "head": config.head_rate_factor, **apart}
    kinds: dict[str, list[nn.Parameter]] = {kind: [] for kind in factors}
    for name, parameter in model.named_parameters():
        ending = next((ending for ending in apart if name.endswith(ending)), None)
        if ending is not None:
            kinds[ending].append(parameter)
        elif parameter.requires_grad:
            kind = "head" if name.startswith("head.") else "vectors" if parameter.ndim < 2 else "matrices"
            kinds[kind].append(parameter)
    groups = []
    for kind, parameters in kinds.items():
        own, decay = rate * factors[kind], config.weight_decay if kind == "matrices" else 0.0
        groups.append({"params": parameters, "lr": own, "peak": own, "weight_decay": decay})
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
