"""What is asked of the benchmark stage."""

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.formats.roles import REFERENCE


class BenchmarkConfig(Asked):
    """Size, latency of one query and throughput of every form, side by side."""

    query: str | None = Field(
        None,
        min_length=1,
        description="the text by which models are compared; unset: the test text of median length",
        json_schema_extra={"often": True},
    )
    texts: int = Field(
        150,
        ge=2,
        le=100_000,
        description="test texts that are timed once each, for the quantiles: drawn at random, the same for every model",
    )
    warmups: int = Field(
        2, ge=1, le=1_000, description="calls before the timed ones of each round, not counted"
    )
    timed: int = Field(12, ge=2, le=10_000, description="timed calls a round, one query each")
    rounds: int = Field(
        15,
        ge=6,
        le=100,
        description="rounds; in each the runtimes take their turns. Fewer than 6 cannot tell which is faster",
    )
    batch_size: int = Field(
        32, ge=1, le=1_024, description="texts answered at once when throughput is measured"
    )
    throughput_rows: int = Field(
        256,
        ge=1,
        le=100_000,
        description="test texts for throughput, evenly over their lengths; 256 take BERT-base 8 s",
    )
    yardstick_layers: int = Field(
        12,
        ge=1,
        le=12,
        description="layers of the yardstick. 12 is BERT-base; fewer are for trying the flow out: ratios mean nothing",
    )
    tried: int = Field(
        10, ge=1, le=1_000, description="timed calls for each number of threads that is tried first"
    )


class TimingConfig(Asked):
    """Size of one model, and latency of one query on one thread."""

    query: str | None = Field(
        None, min_length=1, description="the text that is timed; unset: the validation text of median length"
    )
    warmups: int = Field(10, ge=1, le=1_000, description="calls before the timed ones of each round")
    timed: int = Field(100, ge=10, le=10_000, description="timed calls a round")
    rounds: int = Field(5, ge=1, le=50, description="rounds; the median of their medians counts")


class BodiesConfig(Asked):
    """Size of encoders, and latency of their bodies alone: no tokenizer, no head."""

    reference: str = Field(
        REFERENCE, min_length=1, description="name of the model that the others are compared with"
    )
    tokens: int = Field(128, ge=1, le=8192, description="tokens of each row")
    batch_sizes: tuple[int, ...] = Field(
        (1, 32), min_length=1, description="rows of a batch, each timed by itself"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="threads of each model; unset: as many as there are cores"
    )
    warmups: int = Field(
        1, ge=1, le=1_000, description="batches before the timed ones of each round, not counted"
    )
    timed: int = Field(
        12,
        ge=2,
        le=10_000,
        description="rows that are timed in a round: 12 batches of 1; of larger ones 2 at least",
    )
    rounds: int = Field(
        15,
        ge=6,
        le=100,
        description="rounds; in each the models take their turns. Fewer than 6 cannot tell which is faster",
    )
