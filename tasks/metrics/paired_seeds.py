"""The difference of two classifiers that were each made several times, from other rows, and asked the same test rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Difference(NamedTuple):
    """Accuracy of the candidate minus that of the reference, and its interval."""

    value: float
    low: float
    high: float


class Paired(NamedTuple):
    """Whether each is right at each test row of one data set, seed by seed from the same training rows: bool [seeds, rows]."""

    reference: np.ndarray
    candidate: np.ndarray


def seeded_difference(sets: Sequence[Paired], confidence: float, share: float = 1.0) -> Difference:
    """Interval of the mean difference over draws of training rows *and* over test rows; several data sets count alike.

    Both vary: other rows to learn from would make other classifiers, and other test rows would ask them other things. Their
    variances add, that of the seeds' mean differences over the number of seeds and that of the rows' over the number of
    rows (each holds a part of the other, so the interval is rather too wide), and those of the data sets; quantiles are
    Student's with one degree of freedom less than there are seeds. From one seed there is no telling: the interval is all
    there can be, -1 to 1.

    Args:
        sets: at least one, of the same number of seeds.
        confidence: of the two-sided interval, 0 to 1.
        share: the candidate is compared with so much of the reference's accuracy: 0.97 asks whether it keeps 97% of it.
    """
    differences = [one.candidate.astype(float) - share * one.reference for one in sets]
    value = float(np.mean([each.mean() for each in differences]))
    seeds = min(len(each) for each in differences)
    if seeds < 2:
        return Difference(value, -1.0, 1.0)
    variance = sum(_variance(each) for each in differences) / len(differences) ** 2
    width = float(t.ppf((1 + confidence) / 2, seeds - 1) * np.sqrt(variance))
    return Difference(value, value - width, value + width)


def _variance(difference: np.ndarray) -> float:
    seeds, rows = difference.shape
    return float(difference.mean(axis=1).var(ddof=1) / seeds + difference.mean(axis=0).var(ddof=1) / rows)
