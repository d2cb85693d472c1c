"""What is asked of the n-gram baseline of masked language models."""

from pydantic import Field

from tasks.formats.asked import Asked


class NgramConfig(Asked):
    """n-grams from both sides, counted in the training text, mixed by weights that validation chooses."""

    order: int = Field(5, ge=1, le=7, description="widest window in tokens, the predicted one included")
    blocks: int | None = Field(
        None,
        ge=1,
        description="blocks of the training split that are counted, those that a training with `seed` reads first; unset: all "
        "of its text",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of the order of the blocks")
