"""What was measured of n-grams that predict the next token: `report.json` of their stage."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from tasks.formats.packed_corpus import FILES
from tasks.formats.report_file import read_report
from tasks.formats.value import Value


class NgramBits(Value):
    """Bits a byte of text: of n-grams alone, and with a cache of the document read so far."""

    static: float
    cached: float


class Interpolated(Value):
    """n-grams of one length, the predicted token included."""

    length: int
    distinct: int = Field(description="n-grams of the training part")
    discounts: tuple[float, ...] = Field(description="taken off counts of 1, 2, 3 and more")


class CausalNgramReport(Value):
    """`report.json`."""

    tokens: int = Field(description="of the training part")
    orders: tuple[Interpolated, ...] = Field(description="from unigrams on")
    shares: tuple[float, ...] = Field(
        description="of the cached mixture, mean over validation: the cache's contexts, the longest first, then the n-grams"
    )
    parts: dict[str, NgramBits] = Field(description="of the test split: its files, then its repositories")

    @property
    def repositories(self) -> NgramBits | None:
        """Mean of the repositories' figures; None where there are none."""
        found = [bits for name, bits in self.parts.items() if name != FILES]
        return _mean(found) if found else None


def read_causal_ngrams(folder: Path) -> CausalNgramReport:
    """Raises ArtifactError when it is not there."""
    return read_report(folder, CausalNgramReport)


def _mean(found: Sequence[NgramBits]) -> NgramBits:
    return NgramBits(
        static=sum(bits.static for bits in found) / len(found),
        cached=sum(bits.cached for bits in found) / len(found),
    )
