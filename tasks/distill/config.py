"""What is asked of the teacher_outputs and distill stages: augmented text, the student and its loss."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.pruning.config import PruningConfig
from tasks.training.config import LoopConfig, MixedPrecision


class AugmentConfig(BaseModel):
    """Text made from the training rows; the teacher answers it, so that it needs no label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int | None = Field(
        None,
        ge=0,
        le=100,
        description="augmented texts for each training row; unset: chosen from the data, "
        "see docs/own-table.md",
    )
    dropped: float = Field(
        1.0, ge=0, description="how often, relative to the two others, words of a text are left out"
    )
    substituted: float = Field(
        1.0, ge=0, description="how often words of a text are replaced by training words"
    )
    joined: float = Field(
        1.0, ge=0, description="how often a part of one text is joined to a part of another"
    )
    foreign_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of the replacing words that come from the teacher's vocabulary; the rest are training words",
    )
    word_rate: float = Field(0.2, gt=0, lt=1, description="chance of each word to be left out or replaced")
    seed: int = Field(0, ge=0, lt=2**31, description="which texts are made")
    mixed_precision: MixedPrecision = Field(
        "auto", description="of the teacher's answers; auto: bf16 where CPU or GPU computes in it"
    )

    @model_validator(mode="after")
    def _some_kind(self) -> "AugmentConfig":
        if self.dropped + self.substituted + self.joined == 0:
            raise ValueError(
                "dropped, substituted and joined are all 0: expected one above 0, or copies 0 for no text"
            )
        return self


class LossConfig(BaseModel):
    """Loss = alpha CE + (1 - alpha) T^2 KL + beta (1 - cosine of the sentence vectors)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(
        0.1, ge=0, le=1, description="weight of the labels' cross-entropy; 1 with beta 0 is plain fine-tuning"
    )
    beta: float = Field(
        10.0, ge=0, description="weight of 1 - cosine between the student's and the teacher's vectors"
    )
    temperature: float = Field(
        2.0, gt=0, le=100, description="both softmaxes are softened by it in the KL term"
    )


class InnerConfig(BaseModel):
    """Terms of the loss that look inside. The teacher runs at every step, so training takes several times as long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    relations: float = Field(
        0.0,
        ge=0,
        description="weight of MiniLM's relation loss of the last layers; slower: the teacher runs at each step",
    )
    relation_heads: int = Field(
        12, ge=1, le=256, description="parts that queries, keys and values of both are cut into for it"
    )
    hidden: float = Field(
        0.0,
        ge=0,
        description="weight of the distance of the layers' outputs; slower: the teacher runs at each step",
    )
    hidden_distance: Literal["mse", "cosine"] = Field(
        "mse", description="mean squared difference, or 1 - cosine, of each token's vectors"
    )

    @property
    def wanted(self) -> bool:
        """Whether any term counts."""
        return self.relations > 0 or self.hidden > 0


class DistillConfig(LossConfig, LoopConfig):
    """The student's shape, where it starts, and its loss: see LossConfig, and InnerConfig for more terms."""

    layers: int | None = Field(
        None,
        ge=0,
        le=48,
        description="the student's layers; 0: a bag of token vectors, whose options are under `bag`; unset: chosen from "
        "the data, see docs/own-table.md",
    )
    intermediate_size: int | None = Field(
        None,
        ge=1,
        description="feed-forward units kept in each layer, at most the teacher's; unset: chosen from the "
        "data, see docs/own-table.md",
    )
    max_length: int | None = Field(
        None,
        ge=8,
        le=512,
        description="tokens a text is cut to, and positions kept; at most the teacher's; unset: where the teacher's are, "
        "see docs/own-table.md",
    )
    heads: int | None = Field(
        None,
        ge=1,
        le=256,
        description="attention heads kept in each layer, at most the teacher's; unset: all",
        json_schema_extra={"key": "unless_default"},
    )
    importance: Literal["norm", "taylor"] = Field(
        "norm",
        description="which heads and units are kept. norm: by the norms of their weights; taylor: by what the "
        "teacher's loss would lose without them on 1,024 training texts, seconds more",
        json_schema_extra={"key": "unless_default"},
    )
    embedding_rank: int | None = Field(
        None,
        ge=1,
        description="width that the word embeddings are factorised to before training, and trained in; unset: whole",
        json_schema_extra={"key": "unless_default"},
    )
    inner: InnerConfig = Field(
        InnerConfig(),
        description="terms of the loss that look inside the teacher",
        json_schema_extra={"key": "unless_default"},
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="the student's dropout; the augmented text regularises enough"
    )
    freeze_embeddings: bool = Field(
        True, description="keep the teacher's embeddings as they are: quicker, and no worse"
    )
    batch_size: int = Field(
        64, ge=1, le=4096, description="rows of one optimiser step, over all devices together"
    )
    learning_rate: float = Field(8e-4, gt=0, le=1, description="peak rate of AdamW for the student")
    augment: AugmentConfig = Field(AugmentConfig(), description="augmented text")


class PruneConfig(LossConfig, PruningConfig):
    """Which weights go, and the student's loss by which the others learn to do without them."""

    batch_size: int = Field(
        64, ge=1, le=4096, description="rows of one optimiser step, over all devices together"
    )
    learning_rate: float = Field(
        4e-4, gt=0, le=1, description="peak rate of AdamW; half the student's, who has come far already"
    )
