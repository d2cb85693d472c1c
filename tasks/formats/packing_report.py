"""What packing came to, split by split: `report.json` beside the folders of packed tokens, one a split."""

from pathlib import Path

from pydantic import Field

from tasks.formats.report_file import read_report
from tasks.formats.value import Value

COURSE_ROWS = (
    1_000  # rows of which the Hugging Face course (chapter 7, section 3) concatenates and cuts at a time
)


class PackedSplit(Value):
    """One split."""

    documents: int
    empty: int = Field(description="documents of special tokens alone, of which nothing is kept")
    held_out: int = Field(description="texts left out, because a split that is measured on has them too")
    missing: int = Field(description="rows left out, because they have no text")
    tokens: int = Field(description="special tokens among them")
    longest: int = Field(description="tokens of the longest document")
    word_starts: int | None = Field(
        description="tokens that start a word; null where words were not told apart"
    )
    blocks: int = Field(description="whole blocks: tokens / length, rounded down")
    dropped: int = Field(description="tokens behind the last whole block")
    blocks_in_thousands: int = Field(
        description="blocks of the same documents where what is left is dropped every 1,000 rows, as in the course"
    )

    @property
    def tokens_per_document(self) -> float:
        """Mean over all documents."""
        return self.tokens / self.documents

    @property
    def word_start_share(self) -> float | None:
        """Share of the tokens that start a word; None where words were not told apart."""
        return None if self.word_starts is None else self.word_starts / self.tokens


class PackingReport(Value):
    """`report.json`: what became of the texts. The tokens of a split lie in the folder of its name."""

    length: int = Field(description="tokens of a block")
    splits: dict[str, PackedSplit]

    def metrics(self) -> dict[str, float]:
        """Tokens, blocks and dropped tokens of each split as flat names."""
        return {
            f"{name}_{figure}": float(getattr(split, figure))
            for name, split in self.splits.items()
            for figure in ("documents", "tokens", "blocks", "dropped")
        }


def read_packing(folder: Path) -> PackingReport:
    """Read the report of packed texts; raises ArtifactError when it is not there."""
    return read_report(folder, PackingReport)
