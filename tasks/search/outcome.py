"""What a search came to: the winner, the Pareto front, or which constraint no model could keep."""

from collections.abc import Sequence

from pydantic import Field

from tasks.formats.value import Value
from tasks.search.config import BudgetConfig
from tasks.search.trial_parameters import Measured, TrialRow, constraint_violations, inside

SMALLEST_LIMIT = 0.01  # a limit of zero has no size of its own
UNITS = {"latency_ms": "ms", "size_mb": "MB", "max_accuracy_drop": "of accuracy"}


class Outcome(Value):
    """The end of a search."""

    winner: TrialRow | None = Field(
        description="inside the budget the smallest, or without a bound on accuracy the most accurate; null when none fits"
    )
    front: tuple[int, ...] = Field(
        description="numbers of the trials that no other beats in all three figures"
    )
    said: tuple[str, ...] = Field(description="in words, for the terminal and the report")


def conclude(rows: Sequence[TrialRow], budget: BudgetConfig, teacher_accuracy: float) -> Outcome:
    """Choose among the finished trials, on validation alone."""
    finished = [(row, row.measured) for row in rows if row.measured is not None]
    front = tuple(row.number for row, own in finished if not any(_beats(other, own) for _, other in finished))
    fitting = [pair for pair in finished if inside(pair[1], budget, teacher_accuracy)]
    if not fitting:
        said = (
            _unmet(finished, rows, budget, teacher_accuracy) if budget.given else ("no trial was finished",)
        )
        return Outcome(winner=None, front=front, said=said)
    if budget.wants_smallest:
        best = min(fitting, key=lambda pair: (pair[1].size_mb, pair[1].latency_ms, -pair[1].accuracy))
    else:
        best = max(fitting, key=lambda pair: (pair[1].accuracy, -pair[1].size_mb))
    what = "smallest" if budget.wants_smallest else "most accurate"
    where = " inside the budget" if budget.given else ""
    return Outcome(winner=best[0], front=front, said=(f"{what}{where}: {describe(*best)}",))


def describe(row: TrialRow, measured: Measured) -> str:
    """A trial in one line."""
    choice = row.choice
    shape = f"{choice.layers} layers x {choice.intermediate_size}" if choice.layers else "a bag"
    rank = f" of rank {choice.embedding_rank}" if choice.embedding_rank else ""
    return (
        f"trial {row.number}, {shape}, {choice.vocabulary_size:,} tokens{rank}, {choice.weights}: "
        f"{measured.accuracy:.4f} on validation, {measured.size_mb:.2f} MB, {measured.latency_ms:.2f} ms"
    )


def _unmet(
    finished: Sequence[tuple[TrialRow, Measured]],
    rows: Sequence[TrialRow],
    budget: BudgetConfig,
    teacher_accuracy: float,
) -> tuple[str, ...]:
    """Which constraints no trial keeps, and by how much the best one misses each; else which go not together."""
    if not finished:
        too_large = sum(row.state == "too_large" for row in rows)
        return (
            f"no student of the space was small enough to be trained: {too_large} of {len(rows)} are over "
            f"{budget.size_mb} MB before training. Allow more, or widen the space (--search.vocabulary-size, "
            "--search.layers, --search.intermediate-size).",
        )
    over = [(row, own, constraint_violations(own, budget, teacher_accuracy)) for row, own in finished]
    said = []
    for name in over[0][2]:
        row, own, least = min(over, key=lambda item, name=name: item[2][name])  # type: ignore[misc]
        if least[name] > 0:
            said.append(
                f"{name} {getattr(budget, name):g} cannot be kept: the best of {len(over)} trials misses it by "
                f"{least[name]:.4g} {UNITS[name]} ({describe(row, own)})"
            )
    if not said:
        row, own, nearest = min(over, key=lambda item: _distance(item[2], budget))
        missed = ", ".join(
            f"{name} by {value:.4g} {UNITS[name]}" for name, value in nearest.items() if value > 0
        )
        said.append(
            f"each constraint can be kept, but not all together: the nearest misses {missed} ({describe(row, own)})"
        )
    return tuple(said)


def _distance(over: dict[str, float], budget: BudgetConfig) -> float:
    """How far outside, each constraint by its own size: megabytes and points of accuracy do not add up."""
    return sum(
        max(0.0, value) / max(abs(getattr(budget, name)), SMALLEST_LIMIT) for name, value in over.items()
    )


def _beats(other: Measured, own: Measured) -> bool:
    """Whether `other` is at least as good in all three figures and better in one (Pareto)."""
    theirs = (other.accuracy, -other.size_mb, -other.latency_ms)
    ours = (own.accuracy, -own.size_mb, -own.latency_ms)
    return theirs != ours and all(a >= b for a, b in zip(theirs, ours, strict=True))
