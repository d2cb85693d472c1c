"""What is asked of the search: the space, how many trials, and the budget that the model must fit into."""

from pydantic import BaseModel, ConfigDict, Field

from tasks.quantization.config import Weights

Range = tuple[float, float]


class SearchConfig(BaseModel):
    """The space of students that are tried, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(
        20,
        ge=1,
        le=1000,
        description="students tried, those stopped early included; more trials later go on from these",
        json_schema_extra={"key": "ignore"},
    )
    layers: tuple[int, ...] = Field(
        (0, 1, 2, 3),
        min_length=1,
        description="depths: teacher layers kept; 0: a bag of token vectors, which has no width and no rank",
    )
    intermediate_size: tuple[int, ...] = Field(
        (384, 512, 768), min_length=1, description="widths: feed-forward units kept in each layer"
    )
    vocabulary_size: tuple[int, ...] = Field(
        (4_000, 6_000, 8_000, 10_000), min_length=1, description="tokens of the student's vocabulary"
    )
    epochs: tuple[int, ...] = Field((4, 8, 12), min_length=1, description="passes over the made texts")
    alpha: Range = Field((0.0, 0.5), description="lowest and highest weight of the labels' cross-entropy")
    temperature: Range = Field((1.0, 8.0), description="lowest and highest temperature of both softmaxes")
    embedding_rank: tuple[int, ...] = Field(
        (0, 128), min_length=1, description="widths that word embeddings are factorised to; 0: whole"
    )
    weights: tuple[Weights, ...] = Field(
        ("int8", "int4_embeddings"),
        min_length=1,
        description="forms of the stored weights, as compress.weights",
    )
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


class BudgetConfig(BaseModel):
    """What the model may cost.

    With a bound on accuracy the smallest model inside is searched; without one the most accurate inside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_ms: float | None = Field(
        None,
        gt=0,
        description="largest p50 latency of one query, milliseconds, on one thread of this machine",
    )
    size_mb: float | None = Field(
        None, gt=0, description="largest size of every file that inference needs, megabytes of 10^6 bytes"
    )
    max_accuracy_drop: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="largest loss of validation accuracy against the teacher; 0.01 = 1 point",
    )

    @property
    def given(self) -> bool:
        """Whether there is a budget at all."""
        return any(value is not None for value in (self.latency_ms, self.size_mb, self.max_accuracy_drop))

    @property
    def wants_smallest(self) -> bool:
        """Whether the smallest model is wanted: how accurate it must be is said."""
        return self.max_accuracy_drop is not None
