"""A student that is tried, and what was measured of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.quantization.config import Weights
from tasks.search.config import BudgetConfig


class Choice(BaseModel):
    """One point of the space: a student and how it is trained and stored.

    Without layers it is a bag of token vectors, which has neither width nor rank: there they are 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: int
    intermediate_size: int
    vocabulary_size: int
    epochs: int
    alpha: float
    temperature: float
    embedding_rank: int
    weights: Weights


class Measured(BaseModel):
    """What a finished trial gave. All of it is of validation text or of the machine: the test split stays closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float = Field(description="on validation, as expected in traffic, after the out-of-scope rule")
    size_mb: float = Field(description="every file that inference needs, 10^6 bytes")
    latency_ms: float = Field(description="p50 of one query on one thread")


class TrialRow(BaseModel):
    """A trial of a study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    state: Literal["finished", "stopped", "too_large", "not_smaller"]
    choice: Choice
    measured: Measured | None


def excesses(measured: Measured, budget: BudgetConfig, teacher_accuracy: float) -> dict[str, float]:
    """By how much a model is over each constraint of a budget, in the constraint's own unit; negative is inside."""
    limits = {
        "latency_ms": (measured.latency_ms, budget.latency_ms),
        "size_mb": (measured.size_mb, budget.size_mb),
        "max_accuracy_drop": (teacher_accuracy - measured.accuracy, budget.max_accuracy_drop),
    }
    return {name: value - limit for name, (value, limit) in limits.items() if limit is not None}


def inside(measured: Measured, budget: BudgetConfig, teacher_accuracy: float) -> bool:
    """Whether a model keeps every constraint."""
    return all(excess <= 0 for excess in excesses(measured, budget, teacher_accuracy).values())
