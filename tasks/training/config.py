"""What every training asks for; a stage's own config adds its science to it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.formats.asked import Asked

# `auto` counts as what it comes to: a student trained in bfloat16 is not the one that is trained in float32.
MixedPrecision = Annotated[Literal["auto", "bf16", "no"], Field(json_schema_extra={"key": "precision"})]


class LoopConfig(Asked):
    """How long, how fast and how carefully the loop of `tasks/training/loop` trains."""

    epochs: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="passes over the rows; unset: chosen from the data, see docs/own-table.md",
        json_schema_extra={"often": True},
    )
    steps: int | None = Field(
        None,
        ge=1,
        description="training steps, in place of epochs",
        json_schema_extra={"key": "unless_default"},
    )
    tokens: int | None = Field(
        None,
        ge=1,
        description="tokens to learn from, in place of epochs; rounded up to whole steps",
        json_schema_extra={"key": "unless_default"},
    )
    batch_size: int = Field(
        32, ge=1, le=4096, description="rows of one training step, over all devices together"
    )
    learning_rate: float = Field(1e-4, gt=0, le=1, description="peak rate of AdamW for the encoder")
    head_rate_factor: float = Field(1.0, gt=0, le=1000, description="the head's rate over the encoder's")
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="rows of one forward pass on one device; unset: its whole share. Less memory, the same step",
        json_schema_extra={"key": "ignore"},
    )
    gradient_checkpointing: bool = Field(
        False,
        description="compute activations again in the backward pass: less memory, a third more time, the same step",
        json_schema_extra={"key": "ignore"},
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw",
        description="muon: for matrices of the layers alone, AdamW for the rest",
        json_schema_extra={"key": "unless_default"},
    )
    adam_beta2: float = Field(
        0.999,
        gt=0,
        lt=1,
        description="how much AdamW's mean of squared gradients keeps at each step; 0.98 forgets sooner: for few steps",
        json_schema_extra={"key": "unless_default"},
    )
    schedule: Literal["linear", "cosine", "warmup_stable_decay"] = Field(
        "linear",
        description="how the rate falls after its rise",
        json_schema_extra={"key": "unless_default"},
    )
    decay_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="share of all steps in which warmup_stable_decay falls",
        json_schema_extra={"key": "unless_default"},
    )
    warmup_share: float = Field(
        0.1, ge=0, lt=1, description="share of all steps in which the rate rises; it falls in the rest"
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="AdamW's decay; biases, norms and the head have none"
    )
    fused: bool = Field(
        False,
        description="AdamW in one kernel: on a CPU a quarter faster for a small model, with other last digits",
        json_schema_extra={"key": "unless_default"},
    )
    gradient_norm: float = Field(1.0, gt=0, description="gradients are scaled down to this total norm")
    evaluate_every: int | None = Field(
        None,
        ge=1,
        description="training steps between evaluations; unset: an epoch",
        json_schema_extra={"key": "unless_default"},
    )
    patience: int = Field(
        3, ge=1, description="evaluations without a better validation score before an early stop"
    )
    mixed_precision: MixedPrecision = Field(
        "auto",
        description="bf16: autocast to bfloat16; no: float32; auto: bf16 where CPU or GPU computes in it",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="order of the rows and dropout")
    checkpoint_every: int = Field(
        100,
        ge=1,
        description="training steps between checkpoints; a killed run repeats at most so many",
        json_schema_extra={"key": "ignore"},
    )
    checkpoint_share: float = Field(
        0.03,
        gt=0,
        le=1,
        description="share of the time that checkpoints may take: of a large model some are left out; 1: none is",
        json_schema_extra={"key": "ignore"},
    )

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        """Said before anything is computed; the loop's budget says the same of a config that was put together later."""
        if self.steps is not None and self.tokens is not None:
            raise ValueError(f"steps is {self.steps} and tokens is {self.tokens}: expected one of the two")
        return self


class KeptConfig(LoopConfig):
    """Of a training whose model can be kept on its way as it is at the end."""

    milestone_every: int | None = Field(
        None,
        ge=1,
        description="evaluations between milestones, checkpoints of their own in the artifact and on a branch of the Hub; "
        "unset: none",
        json_schema_extra={"key": "unless_default"},
    )
