"""AdamW and Muon over the groups that an objective names, and their state as flat tensors for a checkpoint."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from tasks.training.loop.objective import Group


def build_optimizers(
    groups: Sequence[Group], rate: float, decay: float, beta2: float = 0.999, fused: bool = False
) -> list[Optimizer]:
    """One optimizer for each kind among the groups: AdamW (Loshchilov & Hutter 2019), and Muon (Jordan et al. 2024).

    Muon makes each update of a matrix orthogonal; its rate is scaled so that its updates are as large as AdamW's (Liu et
    al. 2025, Muon is Scalable for LLM Training, section 2.2), and one rate serves both. Each group keeps its peak rate as
    `peak`. `beta2` is AdamW's, and so is `fused`: all of a step in one kernel.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        if group.parameters:
            own = rate * group.factor
            by_kind.setdefault(group.optimizer, []).append(
                {
                    "params": list(group.parameters),
                    "lr": own,
                    "peak": own,
                    "weight_decay": decay if group.decay else 0.0,
                }
            )
    made: list[Optimizer] = []
    if adamw := by_kind.get("adamw"):
        made.append(AdamW(adamw, betas=(0.9, beta2), eps=1e-6, fused=fused))
    if muon := by_kind.get("muon"):
        made.append(Muon(muon, adjust_lr_fn="match_rms_adamw"))
    return made


def set_rate(optimizers: Sequence[Optimizer], factor: float) -> None:
    """Set every group's rate to `factor` of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor


def optimizer_tensors(optimizers: Sequence[Optimizer]) -> dict[str, torch.Tensor]:
    """Moments and step counts by name `{optimizer}.{parameter number}.{key}`: the optimizers' own tensors, not copies."""
    return {
        f"{place}.{number}.{key}": value
        for place, optimizer in enumerate(optimizers)
        for number, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def restore_optimizers(optimizers: Sequence[Optimizer], tensors: dict[str, torch.Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    states: list[dict[int, dict[str, torch.Tensor]]] = [{} for _ in optimizers]
    for name, value in tensors.items():
        place, number, key = name.split(".", 2)
        states[int(place)].setdefault(int(number), {})[key] = value
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
