"""What is asked of the pre-training of a causal language model, and of what it is measured by."""

from typing import Literal

from pydantic import Field

from tasks.formats.asked import Asked
from tasks.training.config import KeptConfig


class PretrainConfig(KeptConfig):
    """Causal language modelling over packed windows of as many tokens as the model reads."""

    within_documents: bool = Field(
        False, description="no token reads one of another file, though they lie in one window"
    )
    epochs: int | None = Field(
        1, ge=1, le=1000, description="passes over the windows", json_schema_extra={"often": True}
    )
    batch_size: int = Field(
        16, ge=1, le=65_536, description="windows of one training step, over all devices together"
    )
    learning_rate: float = Field(5e-3, gt=0, le=1, description="peak rate", json_schema_extra={"often": True})
    schedule: Literal["linear", "cosine", "warmup_stable_decay"] = Field(
        "warmup_stable_decay", description="how the rate falls after its rise"
    )
    warmup_share: float = Field(0.03, ge=0, lt=1, description="share of all steps in which the rate rises")
    decay_share: float = Field(
        0.4, gt=0, le=1, description="share of all steps in which warmup_stable_decay falls"
    )
    weight_decay: float = Field(0.1, ge=0, le=1, description="decay of matrices; biases and norms have none")
    adam_beta2: float = Field(
        0.95, gt=0, lt=1, description="how much AdamW's mean of squared gradients keeps at each step"
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "muon", description="muon: for matrices of the layers alone, AdamW for the rest"
    )
    fused: bool = Field(True, description="AdamW in one kernel: faster, with other last digits")
    patience: int = Field(
        1000,
        ge=1,
        description="evaluations without a better one before an early stop; a rate that falls at the end gains most there",
    )
    evaluate_every: int | None = Field(
        None, ge=1, description="training steps between evaluations; unset: an epoch, and ten in all at least"
    )
    validation_windows: int = Field(
        400,
        ge=1,
        description="windows of the validation part that pick the best weights, spread evenly; all where fewer",
    )


class WindowsConfig(Asked):
    """How a causal language model reads what it is measured on."""

    batch_size: int = Field(
        16, ge=1, le=4096, description="windows of a forward pass", json_schema_extra={"key": "ignore"}
    )
