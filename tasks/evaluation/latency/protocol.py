"""What the benchmark and its workers hand each other, beside plain numbers."""

from pathlib import Path

from pydantic import Field

from tasks.formats.value import Value


class Setting(Value):
    """How a runtime may use the cores."""

    threads: int = Field(ge=1, description="threads within one operation")
    spinning: bool | None = Field(
        None, description="whether idle threads spin before they sleep; null where it cannot be set"
    )


class Open(Value):
    """A model to load."""

    name: str = Field(description="row of the table; `yardstick` is BERT-base")
    folder: Path = Field(description="the model; for the yardstick a checkpoint that has a tokenizer")
    classes: int = Field(ge=1, description="labels of the data set, for the yardstick's head")
    cores: int = Field(ge=1, description="most threads to use")
    yardstick_layers: int = Field(12, ge=1, description="layers of the yardstick; BERT-base has 12")


class Opened(Value):
    """The model is loaded."""

    runtime: str = Field(description="library and version")
    size_bytes: int = Field(description="every file that inference needs")


class OpenedBody(Value):
    """An encoder's body is loaded: fields of `BodyTiming`, which says what they mean."""

    runtime: str
    architecture: str
    layers: int | None
    parameters: int
    layer_parameters: int
    weight_bytes: int
