"""Intervals over draws of training rows and of test rows: they hold what they should, and widen where they must."""

import numpy as np
import pytest

from tasks.metrics.paired_seeds import Paired, seeded_difference


def drawn(rng: np.random.Generator, seeds: int, rows: int, gain: float, spread: float) -> Paired:
    """Answers of two classifiers whose chances of being right differ by `gain`, by a chance `spread` from seed to seed."""
    hard = rng.normal(0.7, 0.15, rows)
    reference = rng.random((seeds, rows)) < hard
    moved = hard + gain + rng.normal(0, spread, (seeds, 1))
    return Paired(reference, rng.random((seeds, rows)) < moved)


def test_an_interval_holds_the_true_difference_as_often_as_it_says_or_oftener() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        _, low, high = seeded_difference([drawn(rng, 5, 300, 0.05, 0.02)], 0.9)
        held += low <= 0.05 <= high
    assert held / 400 > 0.88


def test_equal_answers_differ_by_nothing() -> None:
    right = np.random.default_rng(0).random((3, 50)) < 0.6
    assert seeded_difference([Paired(right, right)], 0.95) == (0.0, 0.0, 0.0)


def test_turned_around_it_is_the_same_interval_below_zero() -> None:
    pair = drawn(np.random.default_rng(1), 4, 200, 0.1, 0.01)
    one, other = (seeded_difference([each], 0.95) for each in (pair, Paired(pair.candidate, pair.reference)))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_more_confidence_is_wider() -> None:
    answers = drawn(np.random.default_rng(1), 4, 200, 0.1, 0.01)
    wide, narrow = seeded_difference([answers], 0.99), seeded_difference([answers], 0.9)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_one_seed_says_nothing_of_others() -> None:
    answers = drawn(np.random.default_rng(1), 1, 2000, 0.2, 0.0)
    assert seeded_difference([answers], 0.95)[1:] == (-1.0, 1.0)


def test_more_data_sets_tell_more() -> None:
    rng = np.random.default_rng(2)
    sets = [drawn(rng, 3, 200, 0.05, 0.01) for _ in range(8)]
    one, all_of_them = seeded_difference(sets[:1], 0.95), seeded_difference(sets, 0.95)
    assert all_of_them.high - all_of_them.low < one.high - one.low
    assert all_of_them.value == pytest.approx(
        np.mean([seeded_difference([each], 0.95).value for each in sets])
    )


def test_a_share_of_the_reference_is_easier_to_reach() -> None:
    answers = drawn(np.random.default_rng(3), 3, 500, 0.0, 0.0)
    whole, part = seeded_difference([answers], 0.95), seeded_difference([answers], 0.95, share=0.97)
    assert part.value == pytest.approx(whole.value + 0.03 * answers.reference.mean())
