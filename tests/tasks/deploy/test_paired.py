"""Paired statistics: the interval covers, McNemar is exact, the number of rows decides."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ArtifactError
from tasks.deploy.paired import PairedCounts, bootstrap_interval, count_pairs, mcnemar_p
from tasks.deploy.power import rows_needed


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
def test_more_confidence_never_narrows_the_interval(counts: PairedCounts) -> None:
    low, high = bootstrap_interval(counts, 0.8, 1_000, seed=0)
    wider_low, wider_high = bootstrap_interval(counts, 0.99, 1_000, seed=0)
    assert -1 <= wider_low <= low <= high <= wider_high <= 1


@given(counts=paired_counts())
@settings(max_examples=50, deadline=None)
def test_mcnemar_is_the_two_sided_binomial(counts: PairedCounts) -> None:
    discordant = counts.gained + counts.lost
    if discordant > 900:
        return  # the plain formula overflows a float
    tail = sum(comb(discordant, k) for k in range(min(counts.gained, counts.lost) + 1)) / 2**discordant
    assert mcnemar_p(counts) == pytest.approx(min(1.0, 2 * tail), abs=1e-9)


def test_rows_needed_decide_with_the_stated_power() -> None:
    counts, margin = PairedCounts(rows=200, gained=6, lost=9), 0.03
    needed = rows_needed(counts, margin, confidence=0.95, power=0.8)
    assert needed is not None and needed > counts.rows
    shares = np.array([6, 9, 185]) / 200
    draws = np.random.default_rng(0).multinomial(needed, shares, size=300)
    passed = [
        bootstrap_interval(PairedCounts(needed, g, lost), 0.95, 1_000, 0)[0] > -margin for g, lost, _ in draws
    ]
    assert np.mean(passed) == pytest.approx(0.8, abs=0.1)


def test_no_number_of_rows_decides_at_exactly_the_margin() -> None:
    assert rows_needed(PairedCounts(rows=100, gained=1, lost=4), 0.03, 0.95, 0.8) is None
