"""What is asked of the distill_bag stage: a student without layers."""

from pydantic import Field

from tasks.training.config import KeptConfig, MixedPrecision


class EmbeddingBagConfig(KeptConfig):
    """Loss = alpha CE + (1 - alpha) T^2 KL, over the teacher's texts."""

    dimensions: int = Field(
        128,
        ge=2,
        le=4096,
        description="length of a token's vector; at most the teacher's. 64 costs about a point on CLINC150",
    )
    pairs: int = Field(
        8_000,
        ge=0,
        le=10_000_000,
        description="rows for pairs of neighbouring tokens, hashed; 0: none, for about a point on CLINC150",
    )
    max_length: int | None = Field(
        None,
        ge=8,
        le=512,
        description="tokens a text is cut to; unset: where the teacher's are, see docs/own-table.md",
    )
    alpha: float = Field(0.1, ge=0, le=1, description="weight of the labels' cross-entropy")
    temperature: float = Field(
        2.0, gt=0, le=100, description="both softmaxes are softened by it in the KL term"
    )
    epochs: int = Field(8, ge=1, le=1000, description="passes over the teacher's texts")
    batch_size: int = Field(
        128, ge=1, le=4096, description="rows of one training step, over all devices together"
    )
    learning_rate: float = Field(1e-2, gt=0, le=1, description="peak rate of AdamW")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's decay of the tables")
    mixed_precision: MixedPrecision = Field(
        "no", description="look-ups gain nothing by bf16; auto and bf16 as everywhere"
    )
