"""What was measured of causal language models: `report.json` of their evaluation."""

from pathlib import Path

from pydantic import ConfigDict, Field

from tasks.formats.packed_corpus import FILES
from tasks.formats.report_file import Named, read_report
from tasks.formats.value import Value


class TextCost(Value):
    """What a part of the corpus costs a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")  # JSON has no infinity

    bits_per_byte: float = Field(
        description="in windows that are cut: each begins without what came before, as in training"
    )
    sliding: float = Field(description="in windows that overlap by half, of which the latter half counts")
    perplexity: float = Field(description="of a token, in cut windows; infinity where too large")


class MeasuredCausalLm(Named):
    """One model."""

    parameters: int
    embedding_parameters: int = Field(description="of tokens and positions")
    parts: dict[str, TextCost] = Field(description="by the corpus' parts that are measured on")
    by_quality: dict[str, float] = Field(
        description="bits a byte of some windows of all these parts, told that every file is of this quality; `own`: its own"
    )

    @property
    def files(self) -> float | None:
        """Bits a byte of files of repositories that were read otherwise."""
        return self.parts[FILES].bits_per_byte if FILES in self.parts else None

    @property
    def repositories(self) -> dict[str, TextCost]:
        """What the repositories cost of which nothing was read."""
        return {name: cost for name, cost in self.parts.items() if name != FILES}

    @property
    def mean(self) -> float | None:
        """Mean bits a byte of the repositories of which nothing was read; None where there are none."""
        found = [cost.bits_per_byte for cost in self.repositories.values()]
        return sum(found) / len(found) if found else None


class CausalLmEvaluation(Value):
    """`report.json`: every model on the same text."""

    context: int = Field(description="tokens of a window")
    tokens: dict[str, int] = Field(description="tokens that were to be said, by part")
    models: tuple[MeasuredCausalLm, ...]


def read_causal_lm_evaluation(folder: Path) -> CausalLmEvaluation:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, CausalLmEvaluation)
