"""What is asked of the gate and of a release."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

IGNORE: Final[dict[str, JsonValue]] = {
    "key": "ignore"
}  # changes no byte of the package, so it is not part of its key


class GateConfig(BaseModel):
    """When a model may be released in its teacher's place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: float = Field(
        0.03,
        gt=0,
        lt=1,
        description="largest loss of accuracy against the teacher that still passes; 0.03 = 3 points",
    )
    confidence: float = Field(
        0.95,
        ge=0.5,
        lt=1,
        description="confidence of the two-sided intervals of accuracy and speed: 0.95 lets 2.5% of the too weak pass",
    )
    power: float = Field(
        0.8,
        ge=0.5,
        lt=1,
        description="chance with which the named number of test rows would decide (needs_more_rows)",
    )
    class_floor: float = Field(
        0.1,
        gt=0,
        le=1,
        description="largest loss of recall in any class, 0.1 = 10 points; never below the margin. A class fails that is "
        "shown to have lost more, by an exact test that lets chance fail any at all in 5% of gates; 1 turns it off",
    )
    faster: bool = Field(
        True,
        description="whether a model fails that is not shown to be faster than its teacher; false: one that need only be "
        "smaller, and its speed is told",
        json_schema_extra={"key": "unless_default"},
    )
    resamples: int = Field(20_000, ge=1_000, le=1_000_000, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")

    @property
    def effective_class_floor(self) -> float:
        """What a class may lose: at least what all of them together may."""
        return max(self.class_floor, self.margin)


class ReleaseConfig(BaseModel):
    """How a release is named, described and licensed; all of it goes into its card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "stillhouse/classifier",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$",
        description="owner/name on the Hub, each of at most 96 letters, digits, `.`, `_` and `-`; owner-name in MLflow's "
        "registry",
        json_schema_extra=IGNORE,
    )
    title: str = Field(
        "A small text classifier", min_length=1, description="heading of the card", json_schema_extra=IGNORE
    )
    license: str = Field(
        "apache-2.0",
        min_length=1,
        description="licence of the released model, a Hub identifier",
        json_schema_extra=IGNORE,
    )
    language: tuple[str, ...] = Field(
        ("en",), min_length=1, description="ISO 639-1 codes", json_schema_extra=IGNORE
    )
    tags: tuple[str, ...] = Field((), description="more tags for the card", json_schema_extra=IGNORE)
    attribution: str = Field(
        "",
        description="sources of the training data as their licence wants them named; printed in the card",
        json_schema_extra=IGNORE,
    )
    limits: str = Field(
        "",
        description="what the model must not be used for, a paragraph of plain text for the card",
        json_schema_extra=IGNORE,
    )

    promote_again: bool = Field(
        False,
        description="make a package champion again that `infra.cli rollback` took down",
        json_schema_extra=IGNORE,
    )
