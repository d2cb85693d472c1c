"""What is asked of a smaller masked language model: where it begins, and what it learns from its teacher."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.formats.asked import Asked
from tasks.training.masked_lm.config import AdaptConfig


class StudentConfig(Asked):
    """The student before it learns anything."""

    layers: tuple[int, ...] | None = Field(
        None,
        description="the teacher's layers that the student has, counted from 0 and in their order; unset: every second "
        "one, from the first",
        json_schema_extra={"often": True},
    )
    begin: Literal["teacher", "random"] = Field(
        "teacher",
        description="teacher: with the weights of these layers; random: with fresh ones, of the same shape",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of fresh weights")

    @field_validator("layers")
    @classmethod
    def _rising(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if layers is not None and (not layers or layers[0] < 0 or list(layers) != sorted({*layers})):
            raise ValueError(f"layers are {layers}: expected rising numbers from 0 on")
        return layers


class TripleLossConfig(Asked):
    """Loss = alpha masked LM + beta T^2 KL + gamma (1 - cosine of the last hidden states); a term of weight 0 is left out.

    The weights are those of the command that DistilBERT's authors published (huggingface/transformers,
    examples/research_projects/distillation/README.md: --alpha_mlm 2.0 --alpha_ce 5.0 --alpha_cos 1.0), the temperature is
    the default of its train.py. Theirs are means over tokens, as here.
    """

    mlm_weight: float = Field(2.0, ge=0, description="alpha: weight of masked language modelling")
    kl_weight: float = Field(
        5.0, ge=0, description="beta: weight of the distance to what the teacher answers"
    )
    cosine_weight: float = Field(
        1.0,
        ge=0,
        description="gamma: weight of 1 - cosine between the last hidden states of student and teacher",
    )
    temperature: float = Field(
        2.0, gt=0, le=100, description="T: both softmaxes are softened by it in the KL term"
    )

    @property
    def weights(self) -> dict[str, float]:
        """Of each term that counts."""
        each = {"masked_lm": self.mlm_weight, "kl": self.kl_weight, "cosine": self.cosine_weight}
        return {name: weight for name, weight in each.items() if weight > 0}

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not self.weights:
            raise ValueError(
                "mlm_weight, kl_weight and cosine_weight are 0: expected one above it, or nothing is learned"
            )
        return self


class DistillLmConfig(TripleLossConfig, AdaptConfig):
    """Pre-training of a student on packed blocks, beside its teacher; masks, budget and rate are those of adapting."""

    student: StudentConfig = Field(StudentConfig(), description="where the student begins")
