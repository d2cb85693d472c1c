"""What is asked of pruning during training."""

from typing import Literal

from pydantic import Field, model_validator

from tasks.training.config import LoopConfig

Method = Literal["magnitude", "movement", "soft_movement"]
Scope = Literal["global", "matrix"]


class PruningConfig(LoopConfig):
    """Which weights of the encoder's matrices become zero, how many, and when."""

    method: Method = Field(
        "magnitude",
        description="magnitude: the smallest weights go; movement: those that training moves towards zero go "
        "(learned scores, top k); soft_movement: those whose score falls below a threshold",
    )
    sparsity: float = Field(
        0.5, gt=0, lt=1, description="share of zeros at the end; soft_movement has what its penalty gives"
    )
    initial_sparsity: float = Field(0.0, ge=0, lt=1, description="share of zeros until the ramp begins")
    scope: Scope = Field(
        "global", description="global: weights of all matrices compete; matrix: each has the same sparsity"
    )
    block_rows: int = Field(1, ge=1, le=1024, description="rows of a block that is kept or zeroed as one")
    block_columns: int = Field(1, ge=1, le=1024, description="columns of such a block")
    ramp_begin: float = Field(
        0.1, ge=0, lt=1, description="share of all steps before sparsity rises: the warm-up"
    )
    cool_down: float = Field(
        0.3, ge=0, lt=1, description="share of all steps after it has risen, when the rest recovers"
    )
    every: int = Field(10, ge=1, description="steps between two choices of a magnitude mask")
    score_rate_factor: float = Field(
        100.0, gt=0, description="rate of movement's scores over the encoder's, whose scale they do not share"
    )
    threshold: float = Field(
        0.1, gt=0, lt=1, description="soft_movement: a weight is kept while sigmoid(score) is above it"
    )
    penalty: float = Field(
        400.0,
        ge=0,
        description="soft_movement: weight of the mean of sigmoid(score) at the end of the ramp, which decides how "
        "sparse it gets",
    )

    @model_validator(mode="after")
    def _some_ramp(self) -> "PruningConfig":
        if self.ramp_begin + self.cool_down >= 1:
            raise ValueError(
                f"ramp_begin {self.ramp_begin} and cool_down {self.cool_down} leave no steps between them: expected "
                "a sum below 1"
            )
        if self.initial_sparsity > self.sparsity:
            raise ValueError(
                f"initial_sparsity is {self.initial_sparsity}: expected at most sparsity, {self.sparsity}"
            )
        return self

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a block."""
        return self.block_rows, self.block_columns
