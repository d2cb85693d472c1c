"""What is asked of the n-gram baseline of masked language models."""

from pydantic import Field

from tasks.formats.asked import Asked


class NgramConfig(Asked):
    """n-grams from both sides, counted in the training text, mixed by weights that validation chooses."""

    order: int = Field(5, ge=1, le=7, description="widest window in tokens, the predicted one included")
