"""The difference of two classifiers that were each made several times, from other rows, and asked the same test rows."""

from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Difference(NamedTuple):
    """Accuracy of the candidate minus that of the reference, and its interval."""

    value: float
    low: float
    high: float


def seeded_difference(reference: np.ndarray, candidate: np.ndarray, confidence: float) -> Difference:
    """Interval of the mean difference over draws of training rows *and* over test rows.

    Both vary: other rows to learn from would make other classifiers, and other test rows would ask them other things. Their
    variances add, that of the seeds' mean differences over the number of seeds and that of the rows' over the number of
    rows (each holds a part of the other, so the interval is rather too wide); quantiles are Student's with one degree of
    freedom less than there are seeds. From one seed there is no telling: the interval is all there can be, -1 to 1.

    Args:
        reference: bool [seeds, rows], whether the reference of each seed is right at each test row.
        candidate: the same of the candidate, seed by seed from the same training rows.
        confidence: of the two-sided interval, 0 to 1.
    """
    both = candidate.astype(float) - reference.astype(float)
    seeds, rows = both.shape
    value = float(both.mean())
    if seeds < 2:
        return Difference(value, -1.0, 1.0)
    variance = both.mean(axis=1).var(ddof=1) / seeds + both.mean(axis=0).var(ddof=1) / rows
    width = float(t.ppf((1 + confidence) / 2, seeds - 1) * np.sqrt(variance))
    return Difference(value, value - width, value + width)
