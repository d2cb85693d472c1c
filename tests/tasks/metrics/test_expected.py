import numpy as np
import pytest

from tasks.metrics.expected import expected_difference


def test_rows_of_one_mass_give_the_paired_mean_and_its_normal_interval() -> None:
    random = np.random.default_rng(0)
    one, other = random.random(400) < 0.8, random.random(400) < 0.9
    mean, (low, high) = expected_difference(one, other, np.full(400, 1 / 400), 0.95)
    gain = other.astype(float) - one
    assert mean == pytest.approx(gain.mean())
    assert (low, high) == pytest.approx(
        gain.mean() + np.array([-1, 1]) * 1.959964 * gain.std() / 20, abs=1e-6
    )


def test_a_smaller_alpha_is_a_wider_interval_and_equal_models_have_none() -> None:
    right = np.array([True, False, True, True])
    mass = np.array([0.1, 0.2, 0.3, 0.4])
    assert expected_difference(right, right, mass, 0.999) == (0.0, (0.0, 0.0))
    wide, narrow = (expected_difference(right, ~right, mass, level)[1] for level in (0.999, 0.9))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    """Out-of-scope rows are few and count much: 100 of 2,100 rows carry 18% of the mass."""
    random, held = np.random.default_rng(1), 0
    outside = np.arange(2_100) < 100
    mass = np.where(outside, 0.18 / 100, 0.82 / 2_000)
    truth = 0.18 * 0.10 + 0.82 * 0.01
    for _ in range(400):
        reference = random.random(2_100) < np.where(outside, 0.6, 0.9)
        flips = random.random(2_100) < np.where(outside, 0.10 / 0.4, 0.01 / 0.1)
        low, high = expected_difference(reference, reference | flips, mass, 0.95)[1]
        held += low <= truth <= high
    assert held / 400 == pytest.approx(0.95, abs=0.04)
