"""How two models compare in expected traffic, where rows do not count alike."""

import numpy as np
from scipy.stats import norm


def expected_difference(
    reference: np.ndarray, candidate: np.ndarray, mass: np.ndarray, confidence: float
) -> tuple[float, tuple[float, float]]:
    """Expected accuracy of the candidate minus that of the reference, and its two-sided interval.

    The normal interval of a weighted mean of paired differences (-1, 0 or 1), whose variance is the sum of
    mass^2 (difference - mean)^2: that of a mean over strata whose shares of traffic are given (Cochran 1977, Sampling
    Techniques, section 5A.9), but for the strata's own means.

    Args:
        reference, candidate: whether each model is right, bool [n].
        mass: each row's share of traffic, float [n], adding up to one.
        confidence: of the interval, 0 to 1.
    """
    gain = candidate.astype(float) - reference.astype(float)
    mean = float(mass @ gain)
    reach = float(norm.ppf((1 + confidence) / 2) * np.sqrt(np.sum(mass**2 * (gain - mean) ** 2)))
    return mean, (mean - reach, mean + reach)
