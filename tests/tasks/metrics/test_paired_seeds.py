"""Intervals over draws of training rows and of test rows: they hold what they should, and widen where they must."""

import numpy as np
import pytest

from tasks.metrics.paired_seeds import seeded_difference


def drawn(
    rng: np.random.Generator, seeds: int, rows: int, gain: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two classifiers whose chances of being right differ by `gain`, by a chance `spread` from seed to seed."""
    hard = rng.normal(0.7, 0.15, rows)
    reference = rng.random((seeds, rows)) < hard
    moved = hard + gain + rng.normal(0, spread, (seeds, 1))
    return reference, rng.random((seeds, rows)) < moved


def test_an_interval_holds_the_true_difference_as_often_as_it_says_or_oftener() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        _, low, high = seeded_difference(*drawn(rng, 5, 300, 0.05, 0.02), 0.9)
        held += low <= 0.05 <= high
    assert held / 400 > 0.88


def test_equal_answers_differ_by_nothing() -> None:
    right = np.random.default_rng(0).random((3, 50)) < 0.6
    assert seeded_difference(right, right, 0.95) == (0.0, 0.0, 0.0)


def test_turned_around_it_is_the_same_interval_below_zero() -> None:
    reference, candidate = drawn(np.random.default_rng(1), 4, 200, 0.1, 0.01)
    one, other = seeded_difference(reference, candidate, 0.95), seeded_difference(candidate, reference, 0.95)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_more_confidence_is_wider() -> None:
    answers = drawn(np.random.default_rng(1), 4, 200, 0.1, 0.01)
    wide, narrow = seeded_difference(*answers, 0.99), seeded_difference(*answers, 0.9)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_one_seed_says_nothing_of_others() -> None:
    answers = drawn(np.random.default_rng(1), 1, 2000, 0.2, 0.0)
    assert seeded_difference(*answers, 0.95)[1:] == (-1.0, 1.0)
