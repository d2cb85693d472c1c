"""Weights that held-out text chooses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.baselines.ngrams.counting import LEVELS
from tasks.baselines.ngrams.mixture import Evidence, Mixture, fit_mixture


def evidence(seed: int, components: int, positions: int) -> Evidence:
    """Any probabilities; a context without support says nothing, and the last component knows each token."""
    random = np.random.default_rng(seed)
    support = random.integers(0, 4, (components, positions)).astype(np.uint8)
    support[-1] = 1
    said = (random.random((components, positions)) ** 4 * (support > 0)).astype(np.float32)
    said[-1] = 0.01
    return Evidence(said, said, support)


sizes = st.tuples(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 50))


@given(sizes)
def test_no_step_of_expectation_maximisation_lowers_what_it_raises(size: tuple[int, int, int]) -> None:
    held_out = evidence(*size)
    weights = np.full((len(held_out.support), LEVELS + 1), 0.5)
    weights[:, 0] = 0
    mixture = Mixture(weights)
    for _ in range(6):
        before, mixture = mixture, mixture.improved(held_out)
        assert mixture.fitness(held_out) >= before.fitness(held_out) - 1e-9


@given(sizes)
def test_shares_sum_to_one_and_contexts_that_never_stood_have_none(size: tuple[int, int, int]) -> None:
    held_out = evidence(*size)
    shares = fit_mixture(held_out).shares(held_out.support)
    assert shares.sum(axis=0) == pytest.approx(1)
    assert (shares >= 0).all() and not shares[held_out.support == 0].any()


@given(sizes)
def test_shares_are_what_a_loop_hands_down(size: tuple[int, int, int]) -> None:
    held_out = evidence(*size)
    mixture = fit_mixture(held_out)
    mixed = mixture.probability(held_out.of_target, held_out.support)
    for position, found in enumerate(mixed):
        left, expected = 1.0, 0.0
        for component, level in enumerate(held_out.support[:, position]):
            last = component == len(held_out.support) - 1
            taken = left * (1.0 if last else mixture.weights[component, level])
            expected += taken * float(held_out.of_target[component, position])
            left -= taken
        assert found == pytest.approx(expected)


def test_a_long_fit_finds_the_best_weight() -> None:
    """One component against the rest, right 70 times of 100: with one imagined use and refusal, 71 of 102."""
    said = np.full((2, 100), 1e-9, dtype=np.float32)
    said[0, :70] = said[1, 70:] = 1.0
    held_out = Evidence(said, said, np.ones((2, 100), dtype=np.uint8))
    assert fit_mixture(held_out).weights[0, 1] == pytest.approx(71 / 102)


def test_a_component_that_is_always_right_leaves_something_to_the_others() -> None:
    said = np.stack([np.ones(50), np.full(50, 0.1)]).astype(np.float32)
    fitted = fit_mixture(Evidence(said, said, np.ones((2, 50), dtype=np.uint8)))
    assert 0.95 < fitted.weights[0, 1] < 1
    assert math.isfinite(np.log(fitted.probability(np.array([[0.0], [0.1]]), np.ones((2, 1), np.uint8)))[0])
