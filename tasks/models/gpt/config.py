"""What is asked of a fresh GPT-2: one dial for its size, and what may differ from it."""

from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from tasks.formats.asked import Asked

Size = Literal["nano", "small", "base", "xl"]


class GptShape(NamedTuple):
    """A GPT-2: `layers` of `width`, whose attention has `heads`; it reads `context` tokens of a vocabulary of `vocabulary`."""

    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int


# About 1M, 5M, 110M and 1.5B parameters, of which the embeddings are a third to a thirtieth. The two large ones are those of
# Tunstall et al., "Natural Language Processing with Transformers", chapter 10.
SHAPES: dict[Size, GptShape] = {
    "nano": GptShape(layers=3, width=128, heads=2, context=128, vocabulary=4_096),
    "small": GptShape(layers=4, width=256, heads=4, context=256, vocabulary=8_192),
    "base": GptShape(layers=12, width=768, heads=12, context=1_024, vocabulary=32_768),
    "xl": GptShape(layers=48, width=1_600, heads=25, context=1_024, vocabulary=32_768),
}


class GptConfig(Asked):
    """A GPT-2 with fresh weights."""

    size: Size = Field(
        "small",
        description="nano, small, base or xl: about 1M, 5M, 110M and 1.5B parameters with the vocabulary that fits",
    )
    layers: int | None = Field(None, ge=1, le=200, description="unset: those of the size")
    width: int | None = Field(
        None, ge=8, le=20_000, description="of the hidden states, a multiple of the heads; unset: the size's"
    )
    heads: int | None = Field(None, ge=1, le=200, description="of each layer's attention; unset: the size's")
    context: int | None = Field(
        None,
        ge=8,
        le=65_536,
        description="tokens that it reads, which are those of a block in training; unset: the size's",
        json_schema_extra={"often": True},
    )
    activation: Literal["relu2", "gelu_new"] = Field(
        "relu2",
        description="of the feed-forward layers. relu2: the square of what is above zero, quicker and better in little "
        "training (So et al. 2021, Primer, section 3.2); gelu_new: GPT-2's own",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of the fresh weights")

    @property
    def shape(self) -> GptShape:
        """What the size says, with what is asked otherwise; its vocabulary is the tokenizer's business."""
        fields = ("layers", "width", "heads", "context")
        asked = {name: value for name in fields if (value := getattr(self, name)) is not None}
        return SHAPES[self.size]._replace(**asked)

    @model_validator(mode="after")
    def _heads_divide_it(self) -> "GptConfig":
        shape = self.shape
        if shape.width % shape.heads:
            raise ValueError(
                f"width is {shape.width} and heads is {shape.heads}: expected a multiple of the heads. Change one of them"
            )
        return self
