"""What is asked of the evaluation of causal language models."""

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.training.config import MixedPrecision


class EvaluateCausalLmConfig(Asked):
    """Bits a byte of the text that was held out."""

    mixed_precision: MixedPrecision = Field(
        "no", description="of the forward pass; no: float32, which plain transformers computes too"
    )
    quality_windows: int = Field(
        1000,
        ge=1,
        description="windows, spread over what was held out, that are read once for each quality: whether the model heeds it",
    )
    batch_size: int = Field(
        16, ge=1, le=4096, description="windows of a forward pass", json_schema_extra={"key": "ignore"}
    )
