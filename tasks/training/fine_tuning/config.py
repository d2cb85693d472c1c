"""What is asked of the train stage: the teacher."""

from typing import Literal

from pydantic import Field

from tasks.training.config import KeptConfig


class TrainConfig(KeptConfig):
    """Linear probing, then fine-tuning (Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features)."""

    method: Literal["linear_probe_then_finetune", "linear_probe"] = Field(
        "linear_probe_then_finetune",
        description="linear_probe stops at a logistic regression on frozen vectors: seconds, and often close",
        json_schema_extra={"often": True},
    )
    max_length: int | None = Field(
        None,
        ge=8,
        le=512,
        description="tokens a text is cut to; unset: chosen from the data, see docs/own-table.md",
        json_schema_extra={"often": True},
    )
    freeze_words: bool = Field(
        False,
        description="keep the word embeddings as they are: a quarter less time, 0.3 points less accurate on CLINC150",
    )
    probe_c: float = Field(
        30.0, gt=0, description="inverse of the L2 penalty of the logistic regression that makes the head"
    )
    learning_rate: float = Field(
        1e-4,
        gt=0,
        le=1,
        description="peak rate of AdamW for the encoder; 2e-4 destroys it",
        json_schema_extra={"often": True},
    )
    head_rate_factor: float = Field(20.0, gt=0, le=1000, description="the head's rate over the encoder's")
