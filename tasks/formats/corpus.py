"""A curated corpus of code as every stage reads it: `corpus.json`, and files of text in splits."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from tasks.formats.code_rows import TEXT_COLUMNS
from tasks.formats.dataset import write_shards
from tasks.formats.value import Value, read_value, write_value

CORPUS_FILE = "corpus.json"
ROW_GROUP = 1_000


class CorpusInfo(Value):
    """`corpus.json` beside the parquet files."""

    rows: dict[str, int] = Field(description="files in each split")
    bytes: dict[str, int] = Field(description="bytes of text (UTF-8) in each split")
    repositories: dict[str, int] = Field(description="repositories in each split; none is in two")
    licenses: dict[str, int] = Field(description="files under each licence, the commonest first")
    held_out: tuple[str, ...] = Field(
        (), description="repositories that are in test as a whole; what else is in test are single files"
    )


def is_corpus(folder: Path) -> bool:
    """Whether a curated data set is a corpus of code."""
    return (folder / CORPUS_FILE).is_file()


def load_corpus(folder: Path) -> CorpusInfo:
    """Read `corpus.json`; raises ArtifactError when the folder is no curated corpus."""
    return read_value(folder / CORPUS_FILE, CorpusInfo, "a corpus of code. Run curate_code again.")


def describe(rows: pa.Table, splits: Sequence[str]) -> CorpusInfo:
    """Files, bytes and repositories of each split, and licences."""
    parts = {split: rows.filter(pc.equal(rows["split"], split)) for split in splits}
    counted = pc.value_counts(rows["license"]).to_pylist()
    return CorpusInfo(
        rows={split: part.num_rows for split, part in parts.items()},
        bytes={
            split: int(pc.sum(pc.binary_length(part["text"])).as_py() or 0) for split, part in parts.items()
        },
        repositories={split: len(pc.unique(part["repo_name"])) for split, part in parts.items()},
        licenses={
            item["values"]: item["counts"]
            for item in sorted(counted, key=lambda item: (-item["counts"], item["values"]))
        },
    )


def write_corpus(rows: pa.Table, info: CorpusInfo, output: Path, rows_per_shard: int) -> None:
    """Write `corpus.json` and, in the rows' order, `data/{split}-00000-of-0000N.parquet`."""
    parts = ((split, rows.filter(pc.equal(rows["split"], split)).select(TEXT_COLUMNS)) for split in info.rows)
    write_shards(parts, output, rows_per_shard, ROW_GROUP)
    write_value(output / CORPUS_FILE, info)
