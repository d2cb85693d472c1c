"""Which rows meet in which step: a pure function of seed and step, so the position in the data *is* the step.

A sampler gives the whole step's rows; processes and micro-batches only slice them.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from infra.errors import DataError

GROUP = 50  # batches that are sorted by length together


class Sampler(Protocol):
    """Rows of every step, without end."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which each row was seen once."""

    def rows(self, step: int) -> np.ndarray:
        """Row numbers int64 [batch] of step `step`, counted from 0, over all processes together."""


class Shuffled:
    """Each row once a pass, in an order drawn anew for it: for rows of one length, such as packed blocks.

    The last batch of a pass is short where the batches do not come out even: no row waits, none comes twice. Memory is 8
    bytes a row.
    """

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        """Raises DataError when there are no rows."""
        if rows < 1:
            raise DataError(
                "there are no rows to train on: expected at least one. Give more text, or shorter blocks."
            )
        self.count, self.batch_size, self.seed = rows, batch_size, seed
        self._pass = lru_cache(maxsize=1)(self._order)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one pass."""
        return -(-self.count // self.batch_size)

    def rows(self, step: int) -> np.ndarray:
        """See `Sampler.rows`."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._pass(epoch)[place * self.batch_size : (place + 1) * self.batch_size]

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(self.count)


class LengthGrouped:
    """Each row once a pass, rows of like length together: little padding, and the noise that SGD lives on.

    Groups of fifty batches are drawn anew in each pass, sorted by length, cut into batches, and these come in random order.
    """

    def __init__(self, lengths: Sequence[int] | np.ndarray, batch_size: int, seed: int) -> None:
        """`lengths` in tokens, of every row. Raises DataError when there are none."""
        if not len(lengths):
            raise DataError(
                "there are no rows to train on: expected at least one. Look at the curate stage's report."
            )
        self.lengths = np.asarray(lengths, dtype=np.int32)
        self.batch_size, self.seed = batch_size, seed
        self._pass = lru_cache(maxsize=1)(self._order)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one pass; one of them may be short."""
        return -(-len(self.lengths) // self.batch_size)

    def rows(self, step: int) -> np.ndarray:
        """See `Sampler.rows`."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order, batches = self._pass(epoch)
        start = int(batches[place]) * self.batch_size
        return order[start : start + self.batch_size]

    def _order(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows [rows] in groups, sorted; numbers [steps] of their batches in the order of the steps."""
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(len(self.lengths))
        for start in range(0, len(order), self.batch_size * GROUP):
            group = order[start : start + self.batch_size * GROUP]
            group[:] = group[np.argsort(self.lengths[group], kind="stable")]
        return order, random.permutation(self.steps_per_epoch)


def share_of(rows: np.ndarray, process: int, processes: int) -> np.ndarray:
    """The rows of a step that one of several processes computes; none where there are fewer rows than processes."""
    return rows[process::processes]
