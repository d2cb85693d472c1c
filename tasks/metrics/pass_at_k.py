"""How often at least one of k programs is right, judged on n >= k programs a problem."""

from collections.abc import Sequence

import numpy as np

from infra.errors import ConfigError


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Chance that k of `samples` programs, drawn without replacement, hold one of the `passed` ones: 0 to 1.

    The unbiased estimator 1 - C(n-c, k) / C(n, k) of Chen et al. 2021, "Evaluating Large Language Models Trained on Code",
    section 2.1, as the product that the paper gives: no binomial is ever computed, so nothing overflows. (Drawing k programs
    once, or 1 - (1 - c/n)^k, are biased.) Raises ConfigError when there are fewer samples than k, or counts that cannot be.
    """
    if not 0 <= passed <= samples:
        raise ConfigError(
            f"{passed} of {samples} samples passed: expected 0 to {samples}. Count the samples of one problem."
        )
    if not 1 <= k <= samples:
        raise ConfigError(
            f"pass@{k} was asked of {samples} samples a problem: expected k from 1 to {samples}. Make more samples of each "
            "problem, or ask for a smaller k."
        )
    return (
        float(1 - np.prod(1 - k / np.arange(samples - passed + 1, samples + 1)))
        if samples - passed >= k
        else 1.0
    )


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """The mean over problems of (samples, passed). None where one has fewer samples than k, or there is no problem."""
    if not counts or any(samples < k for samples, _ in counts):
        return None
    return float(np.mean([pass_at_k(samples, passed, k) for samples, passed in counts]))
