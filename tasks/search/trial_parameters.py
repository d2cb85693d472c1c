"""A student that is tried, and what was measured of it."""

from typing import Literal

from pydantic import Field

from tasks.compression.export.config import Weights
from tasks.formats.value import Value
from tasks.search.config import BudgetConfig, Students


class TrialParameters(Students[int, float, Weights]):
    """One point of the space: a student and how it is trained and stored."""


class Measured(Value):
    """What a finished trial gave. All of it is of validation text or of the machine: the test split stays closed."""

    accuracy: float = Field(description="on validation, as expected in traffic, after the out-of-scope rule")
    size_mb: float = Field(description="every file that inference needs, 10^6 bytes")
    latency_ms: float = Field(description="p50 of one query on one thread")


class TrialRow(Value):
    """A trial of a study."""

    number: int
    state: Literal["finished", "stopped", "too_large", "not_smaller"]
    choice: TrialParameters
    measured: Measured | None = None


def constraint_violations(
    measured: Measured, budget: BudgetConfig, teacher_accuracy: float
) -> dict[str, float]:
    """By how much a model is over each constraint of a budget, in the constraint's own unit; negative is inside."""
    limits = {
        "latency_ms": (measured.latency_ms, budget.latency_ms),
        "size_mb": (measured.size_mb, budget.size_mb),
        "max_accuracy_drop": (teacher_accuracy - measured.accuracy, budget.max_accuracy_drop),
    }
    return {name: value - limit for name, (value, limit) in limits.items() if limit is not None}


def inside(measured: Measured, budget: BudgetConfig, teacher_accuracy: float) -> bool:
    """Whether a model keeps every constraint."""
    return all(excess <= 0 for excess in constraint_violations(measured, budget, teacher_accuracy).values())
