"""Paired statistics: the intervals are what they say, McNemar is exact."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from infra.errors import ArtifactError
from tasks.metrics.paired import (
    PairedCounts,
    bootstrap_interval,
    count_pairs,
    mcnemar_p,
    null_share,
    score,
    score_interval,
)


@st.composite
def paired_counts(draw: st.DrawFn) -> PairedCounts:
    rows = draw(st.integers(1, 5_000))
    gained = draw(st.integers(0, rows))
    return PairedCounts(rows, gained, draw(st.integers(0, rows - gained)))


def test_counts_rows_that_only_one_model_gets_right() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    counts = count_pairs(labels, np.array([0, 1, 1, 0, 0, 0]), np.array([0, 0, 2, 1, 0, 1]))
    assert counts == PairedCounts(rows=6, gained=2, lost=1)
    assert counts.difference == pytest.approx(1 / 6)


@pytest.mark.parametrize("rows", [0, 5])
def test_answers_of_other_rows_are_refused(rows: int) -> None:
    with pytest.raises(ArtifactError, match="expected"):
        count_pairs(np.zeros(rows), np.zeros(rows), np.zeros(4 if rows else 0))


def test_interval_agrees_with_resampling_the_rows_themselves() -> None:
    counts = PairedCounts(rows=400, gained=12, lost=30)
    rng = np.random.default_rng(1)
    signs = np.repeat([1, -1, 0], [counts.gained + 1, counts.lost + 1, 358])  # the two pseudo-rows included
    rowwise = signs[rng.integers(0, len(signs), (4_000, counts.rows))].mean(axis=1)
    low, high = bootstrap_interval(counts, 0.95, 20_000, seed=0)
    assert (low, high) == pytest.approx(tuple(np.quantile(rowwise, [0.025, 0.975])), abs=0.003)


def test_agreement_on_a_few_rows_is_no_certainty() -> None:
    low, high = bootstrap_interval(PairedCounts(rows=10, gained=0, lost=0), 0.95, 5_000, seed=0)
    assert low < -0.05 and high > 0.05


def test_interval_is_the_same_for_the_same_seed() -> None:
    counts = PairedCounts(500, 20, 30)
    assert bootstrap_interval(counts, 0.95, 2_000, seed=3) == bootstrap_interval(counts, 0.95, 2_000, seed=3)


@given(counts=paired_counts())
@settings(max_examples=50, deadline=None)
def test_more_confidence_never_narrows_an_interval(counts: PairedCounts) -> None:
    for narrow, wide in (
        (bootstrap_interval(counts, 0.8, 1_000, seed=0), bootstrap_interval(counts, 0.99, 1_000, seed=0)),
        (score_interval(counts, 0.8), score_interval(counts, 0.99)),
    ):
        assert -1 <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= 1


@given(counts=paired_counts())
@settings(max_examples=50, deadline=None)
def test_mcnemar_is_the_two_sided_binomial(counts: PairedCounts) -> None:
    discordant = counts.gained + counts.lost
    if discordant > 900:
        return  # the plain formula overflows a float
    tail = sum(comb(discordant, k) for k in range(min(counts.gained, counts.lost) + 1)) / 2**discordant
    assert mcnemar_p(counts) == pytest.approx(min(1.0, 2 * tail), abs=1e-9)


@given(counts=paired_counts(), difference=st.floats(-0.5, 0.5))
@settings(max_examples=50, deadline=None)
def test_the_restricted_estimate_is_where_the_likelihood_is_largest(
    counts: PairedCounts, difference: float
) -> None:
    gained, lost, same = counts.gained, counts.lost, counts.rows - counts.gained - counts.lost

    def unlikeliness(share: float) -> float:
        chances = np.array([share + difference, share, 1 - 2 * share - difference])
        seen = np.array([gained, lost, same])
        return -float((seen * np.log(np.maximum(chances, 1e-300)))[seen > 0].sum())

    bounds = max(0.0, -difference), (1 - difference) / 2
    best = minimize_scalar(unlikeliness, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x
    found = null_share(gained / counts.rows, lost / counts.rows, difference)
    assert bounds[0] - 1e-9 <= found <= bounds[1] + 1e-9
    assert unlikeliness(found) <= unlikeliness(best) + 1e-6


@given(counts=paired_counts(), confidence=st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=50, deadline=None)
def test_the_score_interval_ends_where_the_score_test_rejects(
    counts: PairedCounts, confidence: float
) -> None:
    z = norm.ppf((1 + confidence) / 2)
    low, high = score_interval(counts, confidence)
    assert -1 <= low <= counts.difference <= high <= 1
    if low > -0.999 and high < 0.999:
        assert score(counts, low) == pytest.approx(z, abs=1e-3)
        assert score(counts, high) == pytest.approx(-z, abs=1e-3)


@given(counts=paired_counts())
@settings(max_examples=50, deadline=None)
def test_swapping_the_models_turns_the_score_interval_round(counts: PairedCounts) -> None:
    swapped = PairedCounts(counts.rows, counts.lost, counts.gained)
    low, high = score_interval(counts, 0.95)
    assert score_interval(swapped, 0.95) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize("counts", [PairedCounts(5, 5, 0), PairedCounts(5, 0, 5), PairedCounts(1, 0, 0)])
def test_a_handful_of_rows_gives_an_interval_too(counts: PairedCounts) -> None:
    low, high = score_interval(counts, 0.95)
    assert -1 <= low <= counts.difference <= high <= 1 and high - low > 0.3
