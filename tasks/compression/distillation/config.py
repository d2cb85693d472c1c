"""What is asked of the teacher_outputs and distill stages: augmented text, the student and its loss."""

from typing import Literal

from pydantic import Field

from tasks.compression.pruning.config import PruningConfig
from tasks.formats.asked import Asked
from tasks.generation.config import AugmentConfig
from tasks.training.config import KeptConfig


class LossConfig(Asked):
    """Loss = alpha CE + (1 - alpha) T^2 KL + beta (1 - cosine of the sentence vectors)."""

    alpha: float = Field(
        0.1, ge=0, le=1, description="weight of the labels' cross-entropy; 1 with beta 0 is plain fine-tuning"
    )
    beta: float = Field(
        10.0, ge=0, description="weight of 1 - cosine between the student's and the teacher's vectors"
    )
    temperature: float = Field(
        2.0, gt=0, le=100, description="both softmaxes are softened by it in the KL term"
    )


class IntermediateLossConfig(Asked):
    """Terms of the loss that look inside. The teacher runs at every step, so training takes several times as long."""

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


class DistillConfig(LossConfig, KeptConfig):
    """The student's shape, where it starts, and its loss: see LossConfig, and InnerConfig for more terms."""

    layers: int | None = Field(
        None,
        ge=0,
        le=48,
        description="the student's layers; 0: a bag of token vectors, whose options are under `bag`; unset: chosen from "
        "the data, see docs/own-table.md",
        json_schema_extra={"often": True},
    )
    intermediate_size: int | None = Field(
        None,
        ge=1,
        description="feed-forward units kept in each layer, at most the teacher's; unset: chosen from the "
        "data, see docs/own-table.md",
        json_schema_extra={"often": True},
    )
    max_length: int | None = Field(
        None,
        ge=8,
        le=512,
        description="tokens a text is cut to, and positions kept; at most the teacher's; unset: where the teacher's are, "
        "see docs/own-table.md",
        json_schema_extra={"often": True},
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
    inner: IntermediateLossConfig = Field(
        IntermediateLossConfig(),
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
        64, ge=1, le=4096, description="rows of one training step, over all devices together"
    )
    learning_rate: float = Field(8e-4, gt=0, le=1, description="peak rate of AdamW for the student")
    augment: AugmentConfig = Field(AugmentConfig(), description="augmented text")


class PruneConfig(LossConfig, PruningConfig):
    """Which weights go, and the student's loss by which the others learn to do without them."""

    batch_size: int = Field(
        64, ge=1, le=4096, description="rows of one training step, over all devices together"
    )
    learning_rate: float = Field(
        4e-4, gt=0, le=1, description="peak rate of AdamW; half the student's, who has come far already"
    )
