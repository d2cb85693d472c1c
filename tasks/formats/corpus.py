"""A curated corpus of code as every stage reads it: `corpus.json`, and files of text in splits.

A file is a row: `text, repo_name, path, license`, and `quality`, which is low, medium or high (`code_tokens`).
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from tasks.formats.code_rows import TEXT_COLUMNS
from tasks.formats.dataset import split_files
from tasks.formats.value import Value, read_value, write_value

CORPUS_COLUMNS = (*TEXT_COLUMNS, "quality")
CORPUS_SCHEMA = pa.schema([(name, pa.string()) for name in CORPUS_COLUMNS])
CORPUS_FILE = "corpus.json"
ROW_GROUP = 500  # files, a few MB


class CorpusInfo(Value):
    """`corpus.json` beside the parquet files."""

    rows: dict[str, int] = Field(description="files in each split")
    bytes: dict[str, int] = Field(description="bytes of text (UTF-8) in each split")
    repositories: dict[str, int] = Field(
        description="repositories in each split; in two of them only where single files were set aside"
    )
    licenses: dict[str, int] = Field(description="files under each licence, the commonest first")
    held_out: tuple[str, ...] = Field(
        (), description="repositories that are in test as a whole; what else is in test are single files"
    )
    file_share: float = Field(
        0,
        description="share of the other repositories' files that was set aside for test, and again for validation",
    )


def is_corpus(folder: Path) -> bool:
    """Whether a curated data set is a corpus of code."""
    return (folder / CORPUS_FILE).is_file()


def load_corpus(folder: Path) -> CorpusInfo:
    """Read `corpus.json`; raises ArtifactError when the folder is no curated corpus."""
    return read_value(folder / CORPUS_FILE, CorpusInfo, "a corpus of code. Run curate_code again.")


def sources_of(folder: Path) -> dict[str, dict[str, int]]:
    """Whose files a corpus holds: how many of each repository (`repo`), and under each licence (`licence`)."""
    counted = {"repo": Counter[str](), "licence": Counter[str]()}
    for split in load_corpus(folder).rows:
        for path in split_files(folder, split):
            shard = pq.read_table(path, columns=["repo_name", "license"])
            counted["repo"].update(shard["repo_name"].to_pylist())
            counted["licence"].update(shard["license"].to_pylist())
    return {kind: dict(sorted(names.items())) for kind, names in counted.items()}


def write_corpus(
    files: Callable[[str, int, int], pa.Table], info: CorpusInfo, output: Path, rows_per_shard: int
) -> None:
    """Write `corpus.json` and `data/{split}-00000-of-0000N.parquet`.

    `files` gives those of a split from one place to another, in their order: `ROW_GROUP` at most are in memory at a time.
    """
    (output / "data").mkdir(parents=True, exist_ok=True)
    for split, rows in info.rows.items():
        starts = range(0, rows, rows_per_shard)
        for shard, start in enumerate(starts):
            path = output / "data" / f"{split}-{shard:05d}-of-{len(starts):05d}.parquet"
            end = min(start + rows_per_shard, rows)
            with pq.ParquetWriter(path, CORPUS_SCHEMA, compression="zstd") as writer:
                for first in range(start, end, ROW_GROUP):
                    writer.write_table(files(split, first, min(first + ROW_GROUP, end)))
    write_value(output / CORPUS_FILE, info)
