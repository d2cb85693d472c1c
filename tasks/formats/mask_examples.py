"""What a masked language model sees in training: blocks of packed text with tokens hidden, `report.json`."""

from typing import Literal

from pydantic import Field

from tasks.formats.value import Value


class ShownMasking(Value):
    """How tokens were chosen to be hidden, and what is shown in their place."""

    kind: Literal["token", "whole_word"]
    rate: float = Field(description="share of tokens, or of words, that is hidden")
    mask: float = Field(description="of these the share shown as the mask token")
    random: float = Field(
        description="of these the share shown as a random token; the others are shown as they are"
    )
    trained: bool = Field(description="whether it is the training's own")


class ShownToken(Value):
    """One token of a text."""

    text: str
    starts: bool = Field(description="starts a word")
    begins: bool = Field(description="begins a document: between it and the one before is a seam")
    special: bool


class HiddenToken(Value):
    """A token that the model is to find."""

    at: int = Field(description="which of the block's tokens")
    how: Literal["mask", "random", "same"]
    text: str = Field(description="what the model sees there")


class ShownBlock(Value):
    """A block of the training split, or its first tokens."""

    number: int = Field(description="of the block, counted from 0")
    tokens: tuple[ShownToken, ...]
    hidden: tuple[tuple[HiddenToken, ...], ...] = Field(description="by each of the maskings")


class MaskExamples(Value):
    """`report.json`: a few blocks, each masked in several ways."""

    length: int = Field(description="tokens of a block; fewer are shown of a long one")
    mask_token: str
    maskings: tuple[ShownMasking, ...]
    blocks: tuple[ShownBlock, ...]
