"""Which student a search chooses, and what it says when none fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.search.config import BudgetConfig
from tasks.search.outcome import conclude
from tasks.search.trial_parameters import Measured, TrialParameters, TrialRow, inside

TEACHER = 0.95
CHOICE = TrialParameters(
    layers=2, intermediate_size=768, vocabulary_size=8_000, epochs=4, alpha=0.1, temperature=2.0, embedding_rank=0,
    weights="int8"
)  # fmt: skip


def row(number: int, accuracy: float, size: float, latency: float) -> TrialRow:
    measured = Measured(accuracy=accuracy, size_mb=size, latency_ms=latency)
    return TrialRow(number=number, state="finished", choice=CHOICE, measured=measured)


def stopped(number: int, state: str = "stopped") -> TrialRow:
    return TrialRow(number=number, state=state, choice=CHOICE, measured=None)


ROWS = [
    row(0, 0.94, 6.0, 0.4),
    row(1, 0.93, 4.0, 0.3),
    stopped(2),
    row(3, 0.90, 3.0, 0.5),
    row(4, 0.92, 5.0, 0.4),
]


def test_without_a_budget_the_most_accurate_wins_and_of_equals_the_smaller() -> None:
    outcome = conclude([*ROWS, row(5, 0.94, 5.5, 0.9)], BudgetConfig(), TEACHER)
    assert outcome.winner is not None
    assert outcome.winner.number == 5


@pytest.mark.parametrize(
    ("budget", "winner"), [({"size_mb": 4.5}, 1), ({"latency_ms": 0.45}, 0), ({"size_mb": 3.5}, 3)]
)
def test_without_a_bound_on_accuracy_the_most_accurate_inside_wins(
    budget: dict[str, float], winner: int
) -> None:
    outcome = conclude(ROWS, BudgetConfig(**budget), TEACHER)
    assert outcome.winner is not None
    assert outcome.winner.number == winner
    assert outcome.said[0].startswith("most accurate inside the budget: trial")


def test_a_loose_budget_gives_the_smallest_model_inside() -> None:
    outcome = conclude(ROWS, BudgetConfig(latency_ms=1, size_mb=8, max_accuracy_drop=0.1), TEACHER)
    assert outcome.winner is not None
    assert outcome.winner.number == 3


def test_a_tight_budget_gives_the_only_one_that_fits() -> None:
    outcome = conclude(ROWS, BudgetConfig(latency_ms=0.35, size_mb=4.5, max_accuracy_drop=0.03), TEACHER)
    assert outcome.winner is not None
    assert outcome.winner.number == 1


def test_an_impossible_budget_names_the_constraint_and_by_how_much() -> None:
    outcome = conclude(ROWS, BudgetConfig(latency_ms=0.1, size_mb=8), TEACHER)
    assert outcome.winner is None
    (said,) = outcome.said
    assert "latency_ms 0.1 cannot be kept" in said
    assert "misses it by 0.2 ms" in said


def test_constraints_that_go_not_together_are_said_as_such() -> None:
    outcome = conclude(ROWS, BudgetConfig(size_mb=3.5, max_accuracy_drop=0.03), TEACHER)
    assert outcome.winner is None
    (said,) = outcome.said
    assert "not all together" in said
    assert "size_mb by 0.5 MB" in said


def test_a_budget_that_nothing_was_small_enough_for_says_what_to_widen() -> None:
    outcome = conclude([stopped(0, "too_large"), stopped(1, "too_large")], BudgetConfig(size_mb=0.5), TEACHER)
    assert outcome.winner is None
    assert "2 of 2 are over 0.5 MB" in outcome.said[0]
    assert "--search.vocabulary-size" in outcome.said[0]


def test_the_front_holds_what_nothing_beats() -> None:
    assert conclude(ROWS, BudgetConfig(), TEACHER).front == (0, 1, 3)


figures = st.tuples(st.floats(0, 1), st.floats(0.1, 100), st.floats(0.01, 10))


@given(
    st.lists(figures, min_size=1, max_size=12), st.floats(0.01, 10), st.floats(0.1, 100), st.floats(0, 0.9)
)
def test_the_winner_is_inside_and_on_no_account_larger_than_another_inside(
    made: list[tuple[float, float, float]], latency: float, size: float, drop: float
) -> None:
    rows = [row(number, *own) for number, own in enumerate(made)]
    budget = BudgetConfig(latency_ms=latency, size_mb=size, max_accuracy_drop=drop)
    fitting = [one.measured for one in rows if one.measured and inside(one.measured, budget, TEACHER)]
    outcome = conclude(rows, budget, TEACHER)
    assert (outcome.winner is None) == (not fitting)
    if outcome.winner is None:
        assert outcome.said
    else:
        assert outcome.winner.measured in fitting
        assert outcome.winner.measured.size_mb == min(measured.size_mb for measured in fitting)


@pytest.mark.parametrize("fields", [{"latency_ms": 1.0}, {"size_mb": 8.0}, {"max_accuracy_drop": 0.01}])
def test_any_constraint_is_a_budget(fields: dict[str, float]) -> None:
    assert BudgetConfig(**fields).given
    assert not BudgetConfig().given
