"""When a model says "this is not for me": a score of each text, a threshold, and logits that carry the answer.

A classifier asked about something it does not serve still has a largest logit. The rule scores a text by
how much the in-scope classes together want it and hands what scores below a threshold to the out-of-scope
class, by raising that class's logit. Plain argmax in any runtime then gives the ruled answer.
"""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import logsumexp, ndtr

from infra.errors import DataError
from tasks.labelled_text.dataset import DatasetInfo

Score = Literal["energy", "log_odds"]

GRID = 2001  # candidate thresholds between the lowest and the highest score of the validation split
CLEARLY_BETTER = 2.0  # standard errors by which log-odds must beat energy on validation


class OutOfScopeRule(BaseModel):
    """Texts whose score lies under the threshold are out of scope."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(description="the out-of-scope class")
    score: Score = Field(description="energy: logsumexp of in-scope logits; log_odds: that minus the class's own logit")
    threshold: float = Field(description="out of scope when score < threshold, in units of the logits")
    expected_share: float = Field(description="share of out-of-scope texts in traffic that the threshold is for", ge=0, le=1)


def score(logits: np.ndarray, out_of_scope: int, kind: Score) -> np.ndarray:
    """How much in scope each row is; higher is more.

    Energy is Liu et al. 2020 (Energy-based Out-of-distribution Detection, eq. 4 with T = 1, sign turned).

    Args:
        logits: float [n, classes].
        out_of_scope: column of the out-of-scope class.
        kind: `energy` or `log_odds`.

    Returns:
        float64 [n].
    """
    logits = np.asarray(logits, dtype=np.float64)
    energy = logsumexp(np.delete(logits, out_of_scope, axis=1), axis=1)
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
    weights: np.ndarray,
) -> OutOfScopeRule | None:
    """Score and threshold that maximise the expected accuracy in traffic, from validation rows.

    Validation is reweighted: `weights` within each side, and the two sides so that out-of-scope rows have
    the expected share. A step function of 100 out-of-scope rows has its maximum anywhere on a plateau of
    noise, so both sides are smoothed by a Gaussian kernel first (`_expected_accuracy`). Energy is taken
    unless log-odds is better by two standard errors of the paired difference: the energy does not depend on
    how the few out-of-scope training rows were, log-odds wins where there are many.

    Args:
        logits: float [n, classes], of the very model that the rule is for.
        labels: int64 [n], ids.
        info: the data set's labels.
        expected_share: share of out-of-scope texts in traffic, 0 to 1; None: the weighted share in validation.
        weights: float [n], how common each row is in traffic.

    Returns:
        The rule, or None where the data has no out-of-scope label.

    Raises:
        DataError: validation has no rows of one of the two sides.
    """
    column = info.out_of_scope_id
    if column is None or info.out_of_scope is None:
        return None
    outside = np.asarray(labels) == column
    if not outside.any() or outside.all():
        raise DataError(
            f"validation has {int(outside.sum())} out-of-scope rows of {len(outside)}: both kinds are needed to choose a "
            f"threshold. Put some rows of {info.out_of_scope!r} into the validation split and some of the others."
        )
    mass = np.asarray(weights, dtype=np.float64)
    share = float(mass[outside].sum() / mass.sum()) if expected_share is None else expected_share
    mass = np.where(outside, share * mass / mass[outside].sum(), (1 - share) * mass / mass[~outside].sum())
    in_scope = np.array(logits, dtype=np.float64)
    in_scope[:, column] = -np.inf
    right = outside | (in_scope.argmax(axis=1) == labels)

    scores: dict[Score, np.ndarray] = {kind: score(logits, column, kind) for kind in ("energy", "log_odds")}
    thresholds = {kind: _steady_threshold(values, outside, right, mass) for kind, values in scores.items()}
    answers = {kind: right & ((scores[kind] < thresholds[kind]) == outside) for kind in scores}
    gain = answers["log_odds"].astype(float) - answers["energy"].astype(float)
    error = np.sqrt(np.sum(mass**2 * (gain - mass @ gain) ** 2))
    chosen: Score = "log_odds" if mass @ gain > CLEARLY_BETTER * error else "energy"
    return OutOfScopeRule(
        label=info.out_of_scope, score=chosen, threshold=round(thresholds[chosen], 6), expected_share=round(share, 6)
    )


def _steady_threshold(values: np.ndarray, outside: np.ndarray, right: np.ndarray, mass: np.ndarray) -> float:
    """Threshold that maximises the smoothed expected accuracy; the middle of the best plateau."""
    inside = right & ~outside  # a row given to the wrong class is wrong on either side of the threshold
    grid = np.linspace(values.min(), values.max(), GRID)
    kept = 1.0 - _smoothed_share(values[inside], mass[inside], grid)
    expected = kept * mass[inside].sum() + _smoothed_share(values[outside], mass[outside], grid) * mass[outside].sum()
    best = np.flatnonzero(expected >= expected.max() - 1e-12)
    return float((grid[best[0]] + grid[best[-1]]) / 2)


def _smoothed_share(values: np.ndarray, mass: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Weighted share of values under each grid point, smoothed: a kernel estimate of the distribution function.

    Bandwidth by Silverman's rule (Density Estimation, 1986, eq. 3.31), with Kish's effective number of rows.
    """
    if len(values) == 0:
        return np.zeros(len(grid))
    share = mass / mass.sum()
    rows = 1.0 / np.sum(share**2)
    deviation = np.sqrt(share @ (values - share @ values) ** 2)
    quartiles = np.percentile(values, [25, 75])
    spread = min(deviation, (quartiles[1] - quartiles[0]) / 1.349) or deviation
    width = max(0.9 * spread * rows**-0.2, 1e-9)
    return ndtr((grid[:, None] - values[None, :]) / width) @ share
