"""How texts are made from those that there are."""

from pydantic import Field, model_validator

from tasks.formats.asked import Asked
from tasks.training.config import MixedPrecision


class AugmentConfig(Asked):
    """Text made from the training rows; the teacher answers it, so that it needs no label."""

    copies: int | None = Field(
        None,
        ge=0,
        le=100,
        description="augmented texts for each training row; unset: chosen from the data, "
        "see docs/own-table.md",
        json_schema_extra={"often": True},
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
