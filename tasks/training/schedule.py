"""The learning rate as a function of the step: pure, so that a resumed run has nothing to restore."""


def warmup_then_decay(step: int, total: int, warmup_share: float) -> float:
    """Factor in (0, 1] on the peak rate at `step` of `total` steps, counted from 0: a line up, then a line
    down.
    """
    warmup = max(1, round(total * warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return (total - step) / max(1, total - warmup + 1)
