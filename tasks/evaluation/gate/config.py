"""What is asked of the gate."""

from pydantic import Field

from tasks.formats.asked import Asked


class GateConfig(Asked):
    """When a model may be released in its teacher's place."""

    margin: float = Field(
        0.03,
        gt=0,
        lt=1,
        description="largest loss of accuracy against the teacher that still passes; 0.03 = 3 points",
        json_schema_extra={"often": True},
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
        json_schema_extra={"often": True},
    )
    faster: bool = Field(
        True,
        description="whether a model fails that is not shown to be faster than its teacher; false: one that need only be "
        "smaller, and its speed is told",
        json_schema_extra={"key": "unless_default", "often": True},
    )
    resamples: int = Field(20_000, ge=1_000, le=1_000_000, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of the bootstrap")

    @property
    def effective_class_floor(self) -> float:
        """What a class may lose: at least what all of them together may."""
        return max(self.class_floor, self.margin)
