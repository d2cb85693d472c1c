"""The curated data set as every stage reads it: texts with labels in splits, and what the labels are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from infra.errors import ArtifactError
from tasks.formats.out_of_scope import Labels
from tasks.formats.value import read_value

DATASET_FILE = "dataset.json"
SPLITS = ("train", "validation", "test")


class DatasetInfo(Labels):
    """`dataset.json` beside the parquet files of a curated data set. The out-of-scope label is the last."""

    rows: dict[str, int] = Field(description="rows in each split")
    words_p50: int = Field(description="median number of blank-separated words of a training text")
    words_p99: int = Field(description="99th percentile of the same")

    @property
    def label_ids(self) -> dict[str, int]:
        """Class name to id."""
        return {name: i for i, name in enumerate(self.labels)}


@dataclass(frozen=True)
class Split:
    """Rows of one split: `texts` [n], `labels` int64 [n] (ids)."""

    texts: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def load_info(folder: Path) -> DatasetInfo:
    """Read `dataset.json`; raises ArtifactError when the folder is not a curated data set."""
    expected = "a curated data set (tasks/data/curation). Run curate first."
    return read_value(folder / DATASET_FILE, DatasetInfo, expected)


def split_files(folder: Path, split: str) -> list[Path]:
    """Parquet shards of a split in order; raises ArtifactError when there are none."""
    files = sorted((folder / "data").glob(f"{split}-*-of-*.parquet"))
    if not files:
        raise ArtifactError(
            f"{folder} has no shard data/{split}-*.parquet: expected one of {SPLITS}. Run curate again."
        )
    return files


def require_labels(model: Path, labels: Sequence[str], folder: Path) -> None:
    """Raise ArtifactError when `model` answers other labels than the data set in `folder` has."""
    expected = load_info(folder).labels
    if tuple(labels) != expected:
        raise ArtifactError(
            f"{model} answers {len(labels)} labels from {labels[0]!r} on, and the data set has {len(expected)} from "
            f"{expected[0]!r} on: expected the same ones. Train on this data set."
        )


def write_shards(
    parts: Iterable[tuple[str, pa.Table]], folder: Path, rows_per_shard: int, row_group: int
) -> None:
    """Write the rows of each split, in their order, as `data/{split}-00000-of-0000N.parquet`."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    for split, rows in parts:
        shards = -(-rows.num_rows // rows_per_shard)
        for shard in range(shards):
            path = data / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
            piece = rows.slice(shard * rows_per_shard, rows_per_shard)
            pq.write_table(piece, path, row_group_size=row_group, compression="zstd")


def load_split(folder: Path, split: str) -> Split:
    """Read one split of a curated data set into memory."""
    info = load_info(folder)
    table = pq.ParquetDataset([str(path) for path in split_files(folder, split)]).read()
    ids = info.label_ids
    labels = np.array([ids[name] for name in table["label"].to_pylist()], dtype=np.int64)
    return Split(table["text"].to_pylist(), labels)
