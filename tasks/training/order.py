"""Which rows meet in which batch: grouped by length, a pure function of seed and epoch.

Rows of like length in one batch need little padding; batches drawn in random order, from groups drawn anew in
each epoch, keep the noise that stochastic gradient descent lives on.
"""

from collections.abc import Sequence

import numpy as np

GROUP = 50  # batches that are sorted by length together


def length_grouped(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Row numbers of every batch of one epoch: each row once, at most one batch is short."""
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * GROUP):
        group = sorted(order[start : start + batch_size * GROUP].tolist(), key=lambda row: lengths[row])
        batches += [group[i : i + batch_size] for i in range(0, len(group), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def share_of(batch: Sequence[int], process: int, processes: int) -> list[int]:
    """The rows of `batch` that one of several processes computes; never empty, so that all can average
    gradients.

    accelerate's own sharding is not used: it drops a short batch that is not the last of the epoch.
    """
    return list(batch[process::processes]) or list(batch[:1])
