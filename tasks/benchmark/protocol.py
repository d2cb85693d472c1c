"""What the benchmark and its workers say to each other: one JSON object a line, a reply for each request."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Message(BaseModel):
    """A frozen message that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Setting(Message):
    """How a runtime may use the cores."""

    threads: int = Field(ge=1, description="threads within one operation")
    spinning: bool | None = Field(
        None, description="whether idle threads spin before they sleep; null where it cannot be set"
    )


class Open(Message):
    """Load a model. The reply is `Opened`."""

    command: Literal["open"] = "open"
    name: str = Field(description="row of the table; `yardstick` is BERT-base")
    folder: Path = Field(description="the model; for the yardstick a checkpoint that has a tokenizer")
    classes: int = Field(ge=1, description="labels of the data set, for the yardstick's head")
    cores: int = Field(ge=1, description="most threads to use")
    yardstick_layers: int = Field(12, ge=1, description="layers of the yardstick; BERT-base has 12")


class Tune(Message):
    """Try each setting and keep the one of smallest median latency. The reply is `Setting`."""

    command: Literal["tune"] = "tune"
    query: str
    calls: int = Field(ge=1, description="timed calls a setting")


class Use(Message):
    """Answer with this setting from now on. The reply is the `Setting`."""

    command: Literal["use"] = "use"
    setting: Setting


class Latency(Message):
    """Answer one query again and again. The reply is `Timed`."""

    command: Literal["latency"] = "latency"
    query: str
    warmups: int
    timed: int


class Throughput(Message):
    """Answer batches. The reply is `Rate`."""

    command: Literal["throughput"] = "throughput"
    batches: tuple[tuple[str, ...], ...]
    padded: bool = Field(False, description="every text padded to all positions; the yardstick alone can")


class Opened(Message):
    """The model is loaded."""

    runtime: str = Field(description="library and version")
    size_bytes: int = Field(description="every file that inference needs")


class Timed(Message):
    """Latencies of single queries."""

    nanoseconds: tuple[int, ...]


class Rate(Message):
    """Throughput over batches."""

    rows_per_s: float


class Refused(Message):
    """The request cannot be met; the message is for the user."""

    refused: str


REQUESTS: TypeAdapter[Open | Tune | Use | Latency | Throughput] = TypeAdapter(
    Annotated[Open | Tune | Use | Latency | Throughput, Field(discriminator="command")]
)
