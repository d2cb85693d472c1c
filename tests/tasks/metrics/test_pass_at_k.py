"""The estimator against counting: every way to draw k of n programs, looked at one by one."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ConfigError
from tasks.metrics.pass_at_k import mean_pass_at_k, pass_at_k


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    samples = draw(st.integers(1, 9))
    return samples, draw(st.integers(0, samples)), draw(st.integers(1, samples))


@settings(max_examples=40)
@given(counts())
def test_it_is_the_share_of_subsets_that_hold_a_program_that_passes(drawn: tuple[int, int, int]) -> None:
    samples, passed, k = drawn
    subsets = [*combinations([True] * passed + [False] * (samples - passed), k)]
    assert pass_at_k(samples, passed, k) == pytest.approx(
        sum(any(one) for one in subsets) / len(subsets), abs=1e-12
    )


@settings(max_examples=40)
@given(st.integers(1, 10**6), st.data())
def test_one_program_passes_as_often_as_programs_do(samples: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, samples))
    assert pass_at_k(samples, passed, 1) == pytest.approx(passed / samples, abs=1e-9)


def test_many_samples_neither_overflow_nor_leave_zero_to_one() -> None:
    assert pass_at_k(100_000, 1, 50_000) == pytest.approx(0.5)
    assert pass_at_k(100_000, 0, 100_000) == 0
    assert pass_at_k(100_000, 50_001, 50_000) == 1


@pytest.mark.parametrize(("samples", "passed", "k"), [(1, 1, 10), (0, 0, 1), (5, 1, 0)])
def test_more_than_there_are_samples_is_refused(samples: int, passed: int, k: int) -> None:
    with pytest.raises(ConfigError, match=f"pass@{k} was asked of {samples} samples"):
        pass_at_k(samples, passed, k)


@pytest.mark.parametrize("passed", [-1, 4])
def test_counts_that_cannot_be_are_refused(passed: int) -> None:
    with pytest.raises(ConfigError, match=f"{passed} of 3 samples passed"):
        pass_at_k(3, passed, 1)


def test_a_problem_of_too_few_samples_leaves_the_mean_unsaid() -> None:
    assert mean_pass_at_k([(10, 5), (2, 2)], 1) == 0.75
    assert mean_pass_at_k([(10, 5), (2, 2)], 10) is None
    assert mean_pass_at_k([], 1) is None
