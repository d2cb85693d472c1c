"""What packing has to show: blocks of each split, what was dropped, and the count that the course's way gives."""

from pathlib import Path

from tasks.formats.packed_corpus import read_packed_corpus
from tasks.formats.packing_report import PackedSplit, PackingReport, read_packing
from tasks.formats.section import Cell, Column, Section, Table

FEW_STARTS = (
    0.05  # share of tokens that start a word: the longest words of any language have fewer tokens than twenty
)
COLUMNS = (
    Column(name="split", heading="split"),
    Column(name="documents", heading="documents"),
    Column(name="tokens", heading="tokens"),
    Column(name="blocks", heading="blocks"),
    Column(name="dropped", heading="tokens dropped"),
    Column(name="blocks_in_thousands", heading="blocks, the course's way"),
    Column(name="per_document", heading="tokens a document", places=1),
    Column(name="longest", heading="the longest", minor=True),
    Column(name="starts", heading="start a word", unit="%", places=1),
)

PARTS = (
    Column(name="part", heading="part"),
    Column(name="documents", heading="files"),
    Column(name="tokens", heading="tokens"),
    Column(name="megabytes", heading="MB of text", places=1),
    Column(name="bytes_per_token", heading="bytes a token", places=2),
)


def packing_section(folder: Path) -> Section:
    """A row a split, and what was left out."""
    report = read_packing(folder)
    rows = tuple(_row(name, split) for name, split in report.splits.items())
    return Section(
        title="Packed texts",
        lines=(f"Texts as one row of tokens, cut into blocks of {report.length:,}.",),
        warnings=tuple(_warnings(report)),
        tables=(Table(columns=COLUMNS, rows=rows),),
        notes=(
            "What is behind the last whole block is dropped, once a split. The Hugging Face course drops what is left of "
            "every 1,000 rows: its count of the same documents stands beside.",
            *_left_out(report),
        ),
    )


def corpus_section(folder: Path) -> Section:
    """A row a part: what is read, what picks the best weights, and what is measured on."""
    found = read_packed_corpus(folder)
    rows: list[dict[str, Cell]] = [
        {
            "part": name,
            "documents": part.documents,
            "tokens": part.tokens,
            "megabytes": part.bytes / 1e6,
            "bytes_per_token": part.bytes / max(part.tokens, 1),
        }
        for name, part in found.parts.items()
    ]
    return Section(
        title="Packed corpus",
        tables=(Table(columns=PARTS, rows=tuple(rows)),),
        notes=(
            "A part that is called after a repository is that repository, of which nothing was read; files are single "
            "files of others. A file is its quality, its text, and the token that ends it.",
        ),
    )


def _row(name: str, split: PackedSplit) -> dict[str, Cell]:
    share = split.word_start_share
    return {
        "split": name,
        "per_document": split.tokens_per_document,
        "starts": None if share is None else 100 * share,
        **split.model_dump(include={column.name for column in COLUMNS}),
    }


def _warnings(report: PackingReport) -> list[str]:
    return [
        f"{name}: {100 * share:.1f}% of the tokens start a word. This tokenizer hardly tells words apart, and masks of whole "
        "words would hide most of a document."
        for name, split in report.splits.items()
        if (share := split.word_start_share) is not None and share < FEW_STARTS
    ]


def _left_out(report: PackingReport) -> list[str]:
    reasons = {
        "empty": "without a token but special ones",
        "missing": "rows without a text",
        "held_out": "texts that a split has which is measured on",
    }
    said = [
        f"{count:,} {why} ({name})"
        for name, split in report.splits.items()
        for field, why in reasons.items()
        if (count := getattr(split, field))
    ]
    return [f"Left out: {'; '.join(said)}."] if said else []
