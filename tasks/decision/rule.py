"""When a model says "this is not for me": a score of each text, a threshold, and logits that carry the answer.

A classifier asked about something it does not serve still has a largest logit. The rule scores a text by
how much the in-scope classes together want it and hands what scores below a threshold to the out-of-scope
class, by raising that class's logit. Plain argmax in any runtime then gives the ruled answer.
"""

from typing import get_args

import numpy as np

from infra.errors import DataError
from tasks.formats.dataset import DatasetInfo
from tasks.formats.out_of_scope import OutOfScopeRule, Score
from tasks.metrics.in_scope import best_in_scope

NEVER = -20.0  # logit of a class without training rows: a probability of 2e-9, and finite in every runtime

GRID = 501  # candidate thresholds between the lowest and the highest score of the validation split
# Bandwidth in units of Silverman's. Measured on CLINC150 (100 out-of-scope validation rows of 3,100, whole test split)
# over 200 bootstrap resamples of validation, for TF-IDF and two MiniLM classifiers. Standard deviation of the test
# accuracy in points: the plain maximum 0.24, 0.38, 0.39; 1 times Silverman's 0.06, 0.25, 0.25; 1.5 times 0.05, 0.18,
# 0.21; 3 times 0.12, 0.45, 0.07; two fitted normals 0.43, 0.11, 0.09 but 1.4 points lower for TF-IDF.
SMOOTHING = 1.5
CLEARLY_BETTER = 3.0  # standard errors by which another score must beat energy: wrongly preferred, log-odds costs two points


def score(logits: np.ndarray, out_of_scope: int, kind: Score) -> np.ndarray:
    """How much in scope each row is; higher is more.

    Energy is Liu et al. 2020 (Energy-based Out-of-distribution Detection, eq. 4 with T = 1, sign turned); confidence is
    Hendrycks and Gimpel 2017 (A Baseline for Detecting Misclassified and Out-of-Distribution Examples), in logarithm.

    Args:
        logits: float [n, classes].
        out_of_scope: column of the out-of-scope class.
        kind: `energy`, `log_odds` or `confidence`.

    Returns:
        float64 [n].
    """
    logits = np.asarray(logits, dtype=np.float64)
    from scipy.special import logsumexp  # not above: who only reads a rule does not pay for SciPy

    in_scope = np.delete(logits, out_of_scope, axis=1)
    energy = logsumexp(in_scope, axis=1)
    if kind == "confidence":
        return in_scope.max(axis=1) - energy
    return energy if kind == "energy" else energy - logits[:, out_of_scope]


def apply_rule(logits: np.ndarray, rule: OutOfScopeRule | None, out_of_scope: int | None) -> np.ndarray:
    """Logits whose argmax is the ruled answer: float32 [n, classes]; without a rule they come back as they are.

    The out-of-scope logit becomes max(in-scope) + (threshold - score), so that it wins exactly when
    score < threshold. In-scope logits are untouched, so the energy can be read from ruled logits too.
    """
    ruled = np.array(logits, dtype=np.float32)
    if rule is None or out_of_scope is None:
        return ruled
    best = np.delete(ruled, out_of_scope, axis=1).max(axis=1)
    ruled[:, out_of_scope] = best + (rule.threshold - score(ruled, out_of_scope, rule.score))
    return ruled


def choose_rule(
    logits: np.ndarray,
    labels: np.ndarray,
    info: DatasetInfo,
    expected_share: float | None,
) -> OutOfScopeRule | None:
    """Score and threshold that maximise the expected accuracy in traffic, from validation rows.

    Validation is reweighted so that out-of-scope rows have the expected share.
    Accuracy over 100 out-of-scope rows is a step function whose maximum lies wherever noise put it, so both sides are
    smoothed by a Gaussian kernel first. Energy is taken unless another score is better by three standard errors of the
    paired difference: energy does not depend on which few out-of-scope rows were trained on.

    Args:
        logits: float [n, classes], of the very model that the rule is for.
        labels: int64 [n], ids.
        info: the data set's labels.
        expected_share: share of out-of-scope texts in traffic, 0 to 1; None: their share of validation.

    Returns:
        The rule, or None where the data has no out-of-scope label.

    Raises:
        DataError: validation has rows of one side only.
    """
    column = info.out_of_scope_id
    if column is None or info.out_of_scope is None:
        return None
    outside = np.asarray(labels) == column
    if not outside.any() or outside.all():
        raise DataError(
            f"validation has {int(outside.sum())} out-of-scope rows of {len(outside)}: both kinds are needed to choose "
            f"a threshold. Put some rows of {info.out_of_scope!r} into the validation split and some of the others."
        )
    share, mass = traffic(outside, expected_share)
    # A row given to a wrong class is wrong whatever the threshold.
    right = outside | (best_in_scope(logits, column) == labels)

    thresholds: dict[Score, float] = {}
    answers: dict[Score, np.ndarray] = {}
    for kind in get_args(Score):
        values = score(logits, column, kind)
        thresholds[kind] = steady_threshold(values, outside, right, mass)
        answers[kind] = right & ((values < thresholds[kind]) == outside)
    better = [kind for kind in answers if _clearly_better(answers[kind], answers["energy"], mass)]
    chosen: Score = max(better, key=lambda kind: float(mass @ answers[kind]), default="energy")
    return OutOfScopeRule(
        label=info.out_of_scope,
        score=chosen,
        threshold=round(thresholds[chosen], 6),
        expected_share=round(share, 6),
    )


def share_of_traffic(labels: np.ndarray, info: DatasetInfo, expected_share: float | None) -> np.ndarray:
    """Each row's share of traffic, float64 [n], adding up to one: out-of-scope rows as expected, the others evenly."""
    outside = np.asarray(labels) == info.out_of_scope_id
    if outside.all() or not outside.any():
        return np.full(len(labels), 1 / len(labels))
    return traffic(outside, expected_share)[1]


def traffic(outside: np.ndarray, expected_share: float | None) -> tuple[float, np.ndarray]:
    """Share of out-of-scope rows, and each row's share of traffic (they sum to one); rows of both kinds are there."""
    share = float(outside.mean()) if expected_share is None else expected_share
    return share, np.where(outside, share / outside.sum(), (1 - share) / (~outside).sum())


def _clearly_better(first: np.ndarray, second: np.ndarray, mass: np.ndarray) -> bool:
    """Whether the answers `first` are right more often than `second` by more than chance on the same rows."""
    gain = first.astype(float) - second.astype(float)
    mean = mass @ gain
    return bool(mean > CLEARLY_BETTER * np.sqrt(np.sum(mass**2 * (gain - mean) ** 2)))


def steady_threshold(values: np.ndarray, outside: np.ndarray, right: np.ndarray, mass: np.ndarray) -> float:
    """Threshold that maximises the smoothed expected accuracy; the middle of the best plateau."""
    inside = right & ~outside
    grid = np.linspace(values.min(), values.max(), GRID)
    kept = 1.0 - _smoothed_share(values[inside], mass[inside], grid)
    expected = (
        kept * mass[inside].sum()
        + _smoothed_share(values[outside], mass[outside], grid) * mass[outside].sum()
    )
    best = np.flatnonzero(expected >= expected.max() - 1e-12)
    return float((grid[best[0]] + grid[best[-1]]) / 2)


def _smoothed_share(values: np.ndarray, mass: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Weighted share of values under each grid point, smoothed: a kernel estimate of the distribution function.

    Bandwidth by Silverman's rule (Density Estimation, 1986, eq. 3.31) times `SMOOTHING`, with Kish's effective number
    of rows. Values are counted at the nearest grid point first, so that a million rows cost no more than a thousand.
    """
    if mass.sum() == 0:  # no such rows, or none expected in traffic
        return np.zeros(len(grid))
    share = mass / mass.sum()
    rows = 1.0 / np.sum(share**2)
    deviation = np.sqrt(share @ (values - share @ values) ** 2)
    quartiles = np.percentile(values, [25, 75])
    spread = min(deviation, (quartiles[1] - quartiles[0]) / 1.349) or deviation
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    width = max(SMOOTHING * 0.9 * spread * rows**-0.2, 1e-9)
    nearest = np.rint((values - grid[0]) / step).astype(int) if step > 0 else np.zeros(len(values), dtype=int)
    counted = np.bincount(nearest, weights=share, minlength=len(grid))
    from scipy.special import ndtr

    return ndtr((grid[:, None] - grid[None, :]) / width) @ counted
