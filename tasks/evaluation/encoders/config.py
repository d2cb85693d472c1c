"""What is asked of classifiers that say how good an encoder is: probes of frozen vectors, and fine-tuning."""

from typing import Literal

from pydantic import Field, field_validator

from tasks.formats.asked import Asked
from tasks.training.config import MixedPrecision
from tasks.training.fine_tuning.config import TrainConfig

GAP = "[MASK]"
Pooling = Literal["mean", "first"]


class SlicesConfig(Asked):
    """Which labelled rows a classifier learns from: nested slices of the training split, each label in its share."""

    labels: tuple[int, ...] = Field(
        (8, 32, 100, 500, 2000),
        description="labelled rows to learn from; sizes without two rows of each label are left out",
        json_schema_extra={"often": True},
    )
    seeds: int = Field(5, ge=1, le=100, description="draws of these rows, each with all sizes")
    test_rows: int = Field(2000, ge=10, description="rows of the test split, the same for every classifier")
    max_length: int = Field(
        128, ge=8, le=512, description="tokens a text is cut to, if the encoder takes so many"
    )
    mixed_precision: MixedPrecision = Field("auto", description="of the forward pass")

    @field_validator("labels")
    @classmethod
    def _rising(cls, labels: tuple[int, ...]) -> tuple[int, ...]:
        if not labels or list(labels) != sorted({*labels}) or labels[0] < 4:
            raise ValueError(f"labels are {labels}: expected rising numbers from 4 on")
        return labels


class ProbeConfig(SlicesConfig):
    """A linear classifier on frozen vectors, whose layer, pooling and penalty are chosen inside its labelled rows."""

    poolings: tuple[Pooling, ...] = Field(
        ("mean", "first"), min_length=1, description="mean: of all tokens' vectors; first: the first token's"
    )
    prompt: str | None = Field(
        None,
        description=f"a sentence with one {GAP} that is put behind each text; the gap's vector is a pooling more. It is a "
        "hint of what the labels are about, which the other poolings do not have; unset: none",
    )

    @field_validator("prompt")
    @classmethod
    def _one_gap(cls, prompt: str | None) -> str | None:
        if prompt is not None and prompt.count(GAP) != 1:
            raise ValueError(f"{prompt!r} has {prompt.count(GAP)} gaps: expected one {GAP}")
        return prompt


class FineTuneConfig(SlicesConfig):
    """The whole encoder, fine-tuned on each slice: what `train` does, with a fifth of the slice as its validation."""

    labels: tuple[int, ...] = Field(
        (), description="labelled rows to learn from; none: nothing is fine-tuned"
    )
    seeds: int = Field(3, ge=1, le=100, description="draws of these rows, each with all sizes")
    epochs: int | None = Field(
        None, ge=1, le=1000, description="passes over the rows; unset: by their number, see docs/own-table.md"
    )
    learning_rate: float = Field(TrainConfig().learning_rate, gt=0, le=1, description="peak rate of AdamW")

    @field_validator("labels")
    @classmethod
    def _rising(cls, labels: tuple[int, ...]) -> tuple[int, ...]:
        if labels and (list(labels) != sorted({*labels}) or labels[0] < 20):
            raise ValueError(f"labels are {labels}: expected rising numbers from 20 on")
        return labels


class CompareEncodersConfig(Asked):
    """How encoders are compared with the first one."""

    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="of all intervals at one number of labels together, two-sided"
    )


class PanelConfig(Asked):
    """How encoders are compared by several labelled sets."""

    teacher: str = Field("teacher", description="name of the encoder whose score the others keep a share of")
    undistilled: str = Field("undistilled", description="name of the encoder that each is to be better than")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of each interval, two-sided")
