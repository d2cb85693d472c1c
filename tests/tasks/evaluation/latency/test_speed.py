"""The interval of a ratio of latencies: what makes "faster" a claim with evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.latency.speed import FEWEST_ROUNDS, ratio_interval
from tasks.formats.benchmark_report import Timing

MILLISECONDS = st.floats(0.01, 1_000)


def timing(rounds: np.ndarray) -> Timing:
    """A model whose rounds had these medians [rounds], milliseconds."""
    return Timing(
        name="any",
        runtime="any",
        threads=1,
        size_bytes=1,
        p50_ms=float(np.median(rounds)),
        text_p50_ms=float(np.median(rounds)),
        p95_ms=float(np.max(rounds)),
        p99_ms=float(np.max(rounds)),
        rows_per_s=1.0,
        round_p50_ms=tuple(rounds.tolist()),
    )


def interval(reference: np.ndarray, candidate: np.ndarray, seed: int = 0) -> tuple[float, float]:
    found = ratio_interval(timing(reference), timing(candidate), 0.95, 1_000, seed)
    assert found is not None
    return found


@pytest.mark.parametrize("rounds", [6, 15])
def test_equally_fast_models_are_seldom_called_faster(rounds: int) -> None:
    random, called = np.random.default_rng(rounds), 0
    for _ in range(400):
        common = random.normal(0, 0.2, rounds)  # slow minutes of the machine, which meet both
        slow, fast = np.exp(common + random.normal(0, 0.05, (2, rounds)))
        called += interval(slow, fast)[0] > 1
    assert called / 400 <= 0.05


def test_a_small_gain_is_seen_through_noise_that_meets_both() -> None:
    random = np.random.default_rng(0)
    own = np.exp(random.normal(0, 0.02, (2, 25)))
    low, high = interval(8 * own[0], 8 / 1.1 * own[1])
    assert 1 < low < 1.1 < high


def test_one_slow_round_changes_nothing() -> None:
    steady = np.linspace(0.99, 1.01, 15)
    disturbed = steady.copy()
    disturbed[3] = 40
    low, high = interval(10 * steady, disturbed)
    assert 9.5 < low < high < 10.5


@given(st.lists(st.tuples(MILLISECONDS, MILLISECONDS), min_size=FEWEST_ROUNDS, max_size=20))
def test_the_interval_holds_the_ratio_and_turns_round_with_the_models(
    pairs: list[tuple[float, float]],
) -> None:
    slow, fast = np.array(pairs).T
    low, high = interval(slow, fast)
    ratios = np.array(pairs)[:, 0, None] / np.array(pairs)[None, :, 1]
    assert ratios.min() * (1 - 1e-9) <= low <= high <= ratios.max() * (1 + 1e-9)
    low_back, high_back = interval(fast, slow)
    # Not equal: a quantile between two resamples is a mean of theirs, and a mean of inverses is the larger.
    assert low_back >= 1 / high * (1 - 1e-9) and high_back >= 1 / low * (1 - 1e-9)


def test_too_few_rounds_or_unequal_ones_give_no_interval() -> None:
    few, more = np.ones(FEWEST_ROUNDS - 1), np.ones(FEWEST_ROUNDS)
    assert ratio_interval(timing(few), timing(few), 0.95, 1_000, 0) is None
    assert ratio_interval(timing(more), timing(few), 0.95, 1_000, 0) is None
    assert ratio_interval(timing(more), timing(more), 0.95, 1_000, 0) == (1.0, 1.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    random = np.random.default_rng(3)
    slow, fast = random.gamma(5, 1, (2, 15))
    assert interval(slow, fast, seed=4) == interval(slow, fast, seed=4)
