"""What was measured of masked language models: `report.json` of their evaluation."""

from pathlib import Path

from pydantic import ConfigDict, Field

from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value


class GapFill(Value):
    """A token for a gap, as it is read."""

    token: str
    probability: float


class Filled(Value):
    """A text with a gap, and its likeliest tokens, the likeliest first."""

    text: str
    fills: tuple[GapFill, ...]


class EvaluatedLm(Named):
    """One model."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")  # JSON has no infinity

    loss: float = Field(description="mean negative log likelihood of the hidden tokens, nats")
    perplexity: float = Field(
        description="exp of it: among how many tokens the model is as undecided; infinity where too large"
    )
    filled: tuple[Filled, ...]
    parameters: int
    layer_parameters: int = Field(description="without embeddings and head")


class LmEvaluation(Value):
    """`report.json`: every model on the same hidden tokens."""

    documents: int
    hidden: int = Field(description="tokens that were to be found")
    models: tuple[EvaluatedLm, ...]


def read_lm_evaluation(folder: Path) -> LmEvaluation:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, LmEvaluation)
