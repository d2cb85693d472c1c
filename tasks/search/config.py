"""What is asked of the search: the space, how many trials, and the budget that the model must fit into."""

from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tasks.compression.export.config import Weights
from tasks.formats.asked import Asked

Item = TypeVar("Item")
Whole = TypeVar("Whole")
Real = TypeVar("Real")
Form = TypeVar("Form")
OneOf = Annotated[tuple[Item, ...], Field(min_length=1)]
Range = tuple[float, float]


@dataclass(frozen=True)
class Searched:
    """How a parameter is drawn, and which sections of a flow's config have it, under its own name.

    A student without layers is a bag of token vectors; what a bag has not is 0 there.
    """

    section: str
    of_bag: str | None = None
    digits: int | None = None  # drawn between two bounds and rounded; None: one of several
    unset: int | None = None  # stands for a field that is not set


def _space(default: Any, description: str, often: bool = False) -> Any:
    """A field with the default of a space; of a single student it has another type."""
    return Field(default, description=description, json_schema_extra={"often": True} if often else None)


class Students(BaseModel, Generic[Whole, Real, Form]):
    """All that is searched, each parameter once: of a space of students its range, of one student its value.

    A default is the space's. One student must say everything: a default is looked at as well, and no range is a value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    layers: Annotated[Whole, Searched("distill", of_bag="distill")] = _space(
        (0, 1, 2, 3),
        "depths: teacher layers kept; 0: a bag of token vectors, which has no width and no rank",
        often=True,
    )
    intermediate_size: Annotated[Whole, Searched("distill")] = _space(
        (384, 512, 768), "widths: feed-forward units kept in each layer"
    )
    vocabulary_size: Annotated[Whole, Searched("tokenizer", of_bag="tokenizer")] = _space(
        (4_000, 6_000, 8_000, 10_000), "tokens of the student's vocabulary", often=True
    )
    epochs: Annotated[Whole, Searched("distill", of_bag="bag")] = _space(
        (4, 8, 12), "passes over the made texts"
    )
    alpha: Annotated[Real, Searched("distill", of_bag="bag", digits=3)] = _space(
        (0.0, 0.5), "lowest and highest weight of the labels' cross-entropy"
    )
    temperature: Annotated[Real, Searched("distill", of_bag="bag", digits=2)] = _space(
        (1.0, 8.0), "lowest and highest temperature of both softmaxes"
    )
    embedding_rank: Annotated[Whole, Searched("distill", unset=0)] = _space(
        (0, 128), "widths that word embeddings are factorised to; 0: whole"
    )
    weights: Annotated[Form, Searched("compress", of_bag="compress")] = _space(
        ("int8", "int4_embeddings"), "forms of the stored weights, as compress.weights"
    )


PARAMETERS = {
    name: searched
    for name, field in Students.model_fields.items()
    for searched in field.metadata
    if isinstance(searched, Searched)
}


class Trials(BaseModel):
    """How many students are tried. (A class of its own, since it is shown before the space.)"""

    trials: int = Field(
        20,
        ge=1,
        le=1000,
        description="students tried, those stopped early included; more trials later go on from these",
        json_schema_extra={"key": "ignore", "often": True},
    )


class SearchConfig(Students[OneOf[int], Range, OneOf[Weights]], Trials):
    """The space of students that are tried, and how."""

    halving: int = Field(
        3,
        ge=2,
        le=10,
        description="successive halving: of the trials that reach an epoch, one in so many goes on; the first so many "
        "run whole",
    )
    first_judged: int = Field(
        2, ge=1, le=100, description="epochs before a trial may be stopped for being hopeless"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="which students are tried")


class BudgetConfig(Asked):
    """What the model may cost.

    With a bound on accuracy the smallest model inside is searched; without one the most accurate inside.
    """

    latency_ms: float | None = Field(
        None,
        gt=0,
        description="largest p50 latency of one query, milliseconds, on one thread of this machine",
        json_schema_extra={"often": True},
    )
    size_mb: float | None = Field(
        None,
        gt=0,
        description="largest size of every file that inference needs, megabytes of 10^6 bytes",
        json_schema_extra={"often": True},
    )
    max_accuracy_drop: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="largest loss of validation accuracy against the teacher; 0.01 = 1 point",
        json_schema_extra={"often": True},
    )

    @property
    def given(self) -> bool:
        """Whether there is a budget at all."""
        return any(value is not None for value in (self.latency_ms, self.size_mb, self.max_accuracy_drop))

    @property
    def wants_smallest(self) -> bool:
        """Whether the smallest model is wanted: how accurate it must be is said."""
        return self.max_accuracy_drop is not None
