"""What is asked of masks: those of a training, and the frozen ones that every model is measured by."""

from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.formats.asked import Asked
from tasks.training.config import KeptConfig


class Shares(NamedTuple):
    """Of tokens or words the share that is masked; of these the shares shown as the mask token and as a random one."""

    rate: float
    mask: float
    random: float


# Devlin et al. 2019, BERT, section 3.1; and the Hugging Face course, chapter 7.3.
DEFAULTS = {"token": Shares(0.15, 0.8, 0.1), "whole_word": Shares(0.2, 1.0, 0.0)}


class MaskingConfig(Asked):
    """Which tokens a model has to find again, and what it is shown in their place.

    A rate is a probability: each token, or each word, is masked or not by a draw of its own, so that a row has more or fewer,
    or none, as with transformers' collator.
    """

    kind: Literal["token", "whole_word"] = Field(
        "token",
        description="token: each by itself; whole_word: all tokens of a word, or none",
        json_schema_extra={"often": True},
    )
    rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of tokens, or of words, that is masked; unset: 0.15 of tokens, 0.2 of words",
        json_schema_extra={"often": True},
    )
    mask_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="of masked tokens the share that is shown as the mask token; unset: 0.8 for token, 1 for whole_word",
    )
    random_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="of masked tokens the share that is shown as a random token, the rest being shown as they are; unset: 0.1 "
        "for token, 0 for whole_word",
    )

    @property
    def shares(self) -> Shares:
        """What is asked, with the defaults of its kind."""
        rate, mask, random = DEFAULTS[self.kind]
        return Shares(
            rate if self.rate is None else self.rate,
            mask if self.mask_share is None else self.mask_share,
            random if self.random_share is None else self.random_share,
        )

    @model_validator(mode="after")
    def _no_more_than_all(self) -> "MaskingConfig":
        shares = self.shares
        if shares.mask + shares.random > 1 + 1e-9:
            raise ValueError(
                f"mask_share is {shares.mask} and random_share is {shares.random}: expected at most 1 together"
            )
        return self


class TrainingMaskingConfig(MaskingConfig):
    """Of a training: twice the usual rate, whatever else is asked of its masks.

    A small model that reads a text once learns more from twice as many masks (Wettig et al. 2023, Should You Mask 15%?).
    """

    rate: float | None = Field(
        0.3,
        gt=0,
        lt=1,
        description="share of tokens, or of words, that is masked",
        json_schema_extra={"often": True},
    )


class FrozenConfig(Asked):
    """How the masked documents that models are measured by are chosen and read. Their masks are always the same."""

    documents: int = Field(
        1000, ge=1, description="documents of the test split, chosen by chance; all where it has fewer"
    )
    batch_size: int = Field(
        32, ge=1, le=4096, description="documents of a forward pass", json_schema_extra={"key": "ignore"}
    )


class AdaptConfig(KeptConfig):
    """Masked language modelling over packed blocks."""

    masking: TrainingMaskingConfig = Field(
        TrainingMaskingConfig(), description="which tokens are hidden in training"
    )
    freeze_layers: int = Field(
        0, ge=0, le=96, description="lower layers, and the embeddings, that stay as they are; 0: all learn"
    )
    keep_weight: float = Field(
        0.0,
        ge=0,
        description="weight of keeping each block's mean vector near that of the model before (1 - cosine); 0: masks alone",
    )
    epochs: int | None = Field(
        1, ge=1, le=1000, description="passes over the blocks", json_schema_extra={"often": True}
    )
    batch_size: int = Field(
        16, ge=1, le=4096, description="blocks of one training step, over all devices together"
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak rate", json_schema_extra={"often": True})
    schedule: Literal["linear", "cosine", "warmup_stable_decay"] = Field(
        "warmup_stable_decay", description="how the rate falls after its rise"
    )
    warmup_share: float = Field(0.02, ge=0, lt=1, description="share of all steps in which the rate rises")
    decay_share: float = Field(
        0.33, gt=0, le=1, description="share of all steps in which warmup_stable_decay falls"
    )
    patience: int = Field(
        1000,
        ge=1,
        description="evaluations without a better one before an early stop; a rate that falls at the end gains most there",
    )
    adam_beta2: float = Field(
        0.98, gt=0, lt=1, description="how much AdamW's mean of squared gradients keeps at each step"
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "muon",
        description="muon: for matrices of the layers alone, AdamW for the rest; on IMDb 12,800 blocks by it are worth as much "
        "as 20,000 by AdamW alone",
    )
    fused: bool = Field(True, description="AdamW in one kernel: faster, with other last digits")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="of the whole model; one pass over much text needs none"
    )
    evaluate_every: int | None = Field(
        None, ge=1, description="training steps between evaluations; unset: an epoch, and ten in all at least"
    )

    def blocks_of(self, length: int) -> int | None:
        """How many blocks of `length` tokens are read, where steps or tokens are asked for; None for whole passes."""
        if self.tokens is not None:
            return -(-self.tokens // (length * self.batch_size)) * self.batch_size
        return None if self.steps is None else self.steps * self.batch_size


class HeadConfig(AdaptConfig):
    """The head of an encoder that has none, trained on general text while the encoder stays as it is."""

    steps: int | None = Field(500, ge=1, description="training steps, in place of epochs")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="peak rate")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="of the head alone, which has no layers for muon"
    )


class AverageConfig(Asked):
    """A checkpoint between the model before and the adapted one."""

    share: float = Field(
        0.5, gt=0, lt=1, description="of the adapted model's weights; the rest is the model's before"
    )


class ExamplesConfig(Asked):
    """Which masks are shown on the report: those of a training in its first pass."""

    masking: MaskingConfig = Field(MaskingConfig(), description="the training's")
    seed: int = Field(0, ge=0, lt=2**31, description="the training's")
    blocks: int = Field(3, ge=1, le=64, description="blocks of text that are shown")

    @classmethod
    def of(cls, training: AdaptConfig) -> Self:
        """What a training sees."""
        return cls(masking=training.masking, seed=training.seed)
