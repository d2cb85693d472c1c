"""What is asked of the evaluation of masked language models."""

from pydantic import Field, field_validator

from tasks.formats.asked import Asked
from tasks.training.config import MixedPrecision

GAP = "[MASK]"


class EvaluateLmConfig(Asked):
    """Perplexity on the frozen masks, and what goes into some gaps."""

    texts: tuple[str, ...] = Field(
        ("This is a great [MASK].",), min_length=1, description="texts with one gap, [MASK], that are filled"
    )
    fills: int = Field(5, ge=1, le=100, description="likeliest tokens that are shown for each gap")
    mixed_precision: MixedPrecision = Field(
        "no", description="of the forward pass; no: float32, which plain transformers computes too"
    )

    @field_validator("texts")
    @classmethod
    def _one_gap(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if text.count(GAP) != 1:
                raise ValueError(f"{text!r} has {text.count(GAP)} gaps: expected one {GAP}")
        return texts
