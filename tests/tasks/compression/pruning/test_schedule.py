from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.schedule import CubicSchedule, plan

SHARES = st.floats(0, 0.49)
SCHEDULES = st.builds(
    lambda ends, total, begin, cool, every: plan(*sorted(ends), total, begin, cool, every),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    st.integers(1, 3000),
    SHARES,
    SHARES,
    st.integers(1, 200),
)


def test_sparsity_follows_the_formula_of_zhu_and_gupta():
    schedule = CubicSchedule(initial=0.1, final=0.9, begin=20, every=5, changes=8)
    for t in range(20, 61, 5):
        plain = 0.9 + (0.1 - 0.9) * (1 - (t - 20) / (8 * 5)) ** 3
        assert schedule.at(t) == pytest.approx(plain)
        assert schedule.at(t + 4) == schedule.at(t)  # held between two changes
    assert [t for t in range(100) if schedule.changes_at(t)] == list(range(20, 61, 5))


@given(SCHEDULES)
def test_sparsity_never_falls_and_stays_between_its_ends(schedule):
    found = [schedule.at(step) for step in range(schedule.end + 5)]
    assert all(a <= b + 1e-12 for a, b in pairwise(found))
    assert min(found) >= schedule.initial - 1e-12
    assert max(found) <= schedule.final + 1e-12


@given(SCHEDULES)
def test_it_is_initial_until_the_ramp_begins_and_final_from_its_end_on(schedule):
    assert all(schedule.at(step) == pytest.approx(schedule.initial) for step in range(schedule.begin + 1))
    assert all(schedule.at(schedule.end + step) == schedule.final for step in range(5))
    assert schedule.changes_at(schedule.end)


@given(SCHEDULES)
def test_sparsity_changes_only_when_masks_do(schedule):
    for step in range(1, schedule.end + 5):
        if schedule.at(step) != schedule.at(step - 1):
            assert schedule.changes_at(step)


@given(st.integers(2, 3000), SHARES, SHARES, st.integers(1, 200))
def test_the_last_step_is_trained_at_the_final_sparsity(total, begin, cool, every):
    schedule = plan(0.0, 0.5, total, begin, cool, every)
    assert schedule.at(total - 1) == 0.5
    assert schedule.end <= max(1, total - round(total * cool), schedule.begin + 1)
    assert schedule.begin <= round(total * begin)


@given(st.integers(50, 3000), SHARES)
def test_sparsity_rises_faster_at_first(total, begin):
    schedule = plan(0.0, 0.8, total, begin, 0.2, 1)
    middle = (schedule.begin + schedule.end) // 2
    assert schedule.at(middle) > 0.8 / 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"ramp_begin": 0.6, "cool_down": 0.4},
        {"initial_sparsity": 0.6, "sparsity": 0.5},
        {"sparsity": 1.0},
        {"block_rows": 0},
        {"threshold": 1.0},
    ],
)
def test_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PruningConfig(**wrong)
