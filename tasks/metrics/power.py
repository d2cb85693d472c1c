"""What a number of test rows can tell: the power of the score test on paired answers, and rows for a power.

Liu, Hsueh, Hsieh and Chen (2002), "Tests for equivalence or non-inferiority for paired binary data",
Statistics in Medicine 21: the variance of the test statistic under the null hypothesis and under the truth
differ, and both count. With the truth's alone, too few rows are named where models seldom differ.
"""

import math

from scipy.stats import norm

from tasks.metrics.paired import PairedCounts, null_variance


def power_of_equal(counts: PairedCounts, margin: float, confidence: float) -> float:
    """Chance to pass of a candidate that is exactly as accurate, at these rows and this share of differing rows."""
    half = discordance(counts) / 2
    spread = math.sqrt(null_variance(half, half, -margin))
    distance = math.sqrt(counts.rows) * margin - _z(confidence) * spread
    return float(norm.cdf(distance / math.sqrt(2 * half)))


def rows_needed(counts: PairedCounts, margin: float, confidence: float, power: float) -> int | None:
    """Test rows with which the interval would leave the margin on one side; None when no number would.

    n = ((z_confidence sd_null + z_power sd_true) / (d + margin))^2, with d the observed difference, taken for
    the truth, and the two standard deviations those of one row. A d of exactly -margin is on neither side
    however many rows there are.
    """
    distance = counts.difference + margin
    if math.isclose(distance, 0.0, abs_tol=1e-9):
        return None
    differing, difference = discordance(counts), counts.difference
    gained, lost = (differing + difference) / 2, (differing - difference) / 2
    null = math.sqrt(null_variance(gained, lost, -margin))
    true = math.sqrt(differing - difference**2)
    needed = ((_z(confidence) * null + float(norm.ppf(power)) * true) / distance) ** 2
    return max(counts.rows + 1, math.ceil(needed))


def discordance(counts: PairedCounts) -> float:
    """Share of rows on which one model alone is right, with one pseudo-row for each (as in `bootstrap_interval`)."""
    return (counts.gained + counts.lost + 2) / (counts.rows + 2)


def _z(confidence: float) -> float:
    return float(norm.ppf((1 + confidence) / 2))
