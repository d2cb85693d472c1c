"""The learning rate as a function of the step: pure, so that a resumed run has nothing to restore."""

import math
from typing import Literal

Kind = Literal["linear", "cosine", "warmup_stable_decay"]


def rate_factor(
    step: int, total: int, warmup_share: float, kind: Kind = "linear", decay_share: float = 0.2
) -> float:
    """Factor in (0, 1] on the peak rate at `step` of `total` steps, counted from 0: a line up, then by `kind` down.

    `linear`: a line. `cosine`: half a wave (Loshchilov & Hutter 2017, SGDR). `warmup_stable_decay`: the peak until the last
    `decay_share` of the steps, then a line (Hu et al. 2024, MiniCPM, section 4): a run that is to go on later can leave the
    peak late.
    """
    warmup = max(1, round(total * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    left = (total - step) / max(1, total - warmup + 1)
    if kind == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    if kind == "warmup_stable_decay":
        return min(1.0, (total - step) / max(1, round(total * decay_share)))
    return left
