"""What the gate says: released or not, and on what evidence."""

from typing import Literal

from pydantic import Field

from tasks.formats.value import Value

Verdict = Literal["pass", "fail", "needs_more_rows"]


class ClassFall(Value):
    """How the recall of one class changed from the reference to the candidate."""

    label: str
    rows: int = Field(description="test rows of the class")
    recall_difference: float = Field(description="candidate minus reference, as a share of these rows")
    p_value: float = Field(
        description="of the hypothesis that the fall is within the floor, after Holm's correction over the classes"
    )


class GateVerdict(Value):
    """Whether the candidate may be released in the reference's place, and on what evidence."""

    verdict: Verdict
    reasons: tuple[str, ...] = Field(description="one plain sentence for each condition, passed or not")
    candidate: str
    reference: str
    margin: float = Field(
        description="largest loss of accuracy that still counts as non-inferior, 0.03 = 3 points"
    )
    confidence: float = Field(description="confidence of the interval, 0.95")
    accuracy_difference: float = Field(description="candidate minus reference on the same test rows")
    interval: tuple[float, float] = Field(description="score interval of the difference, which decides")
    bootstrap_interval: tuple[float, float] = Field(
        description="paired bootstrap interval of the same, for comparison"
    )
    mcnemar_p: float = Field(description="exact two-sided McNemar test of equal accuracy")
    rows: int = Field(description="paired test rows")
    power: float = Field(
        description="chance to pass of a candidate exactly as accurate as the reference, at these rows and this "
        "share of rows on which the two differ"
    )
    rows_needed: int | None = Field(
        description="test rows that would decide, when the verdict is needs_more_rows"
    )
    class_floor: float = Field(
        description="largest fall of a class's recall that is allowed, 0.1 = 10 points"
    )
    classes: int = Field(description="classes with test rows")
    largest_fall: ClassFall = Field(description="the class whose recall fell most, or rose least")
    failed_classes: tuple[ClassFall, ...] = Field(
        description="classes shown to have lost more than the floor, largest fall first"
    )
    visible_fall: float | None = Field(
        description="smallest fall of recall that a class of median size would fail by; null if none"
    )
    size_ratio: float = Field(description="reference bytes over candidate bytes")
    latency_ratio: float = Field(description="reference p50 over candidate p50")
    latency_interval: tuple[float, float] | None = Field(
        description="interval of that ratio over the benchmark's rounds; null when they are too few for one"
    )
    beats_baseline: bool | None = Field(
        description="whether the candidate is shown to be more accurate than TF-IDF: the 95% interval of the difference lies "
        "above 0; null when there is no baseline"
    )
