"""The curated data set as every stage reads it: texts with labels in splits, and what the labels are."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from infra.errors import ArtifactError

SPLITS = ("train", "validation", "test")


class DatasetInfo(BaseModel):
    """`dataset.json` beside the parquet files of a curated data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = Field(description="class names; a label's id is its index; out-of-scope last")
    out_of_scope: str | None = Field(description="the label of what the model does not serve, or null")
    rows: dict[str, int] = Field(description="rows in each split")
    words_p50: int = Field(description="median number of blank-separated words of a training text")
    words_p99: int = Field(description="99th percentile of the same")

    @property
    def out_of_scope_id(self) -> int | None:
        """Id of the out-of-scope label, None where the data has none."""
        return None if self.out_of_scope is None else self.labels.index(self.out_of_scope)

    @property
    def label_ids(self) -> dict[str, int]:
        """Class name to id."""
        return {name: i for i, name in enumerate(self.labels)}


@dataclass(frozen=True)
class Split:
    """Rows of one split: `texts` [n], `labels` int64 [n] (ids), `weights` float64 [n] (share in real traffic)."""

    texts: list[str]
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


def load_info(folder: Path) -> DatasetInfo:
    """Read `dataset.json`; raises ArtifactError when the folder is not a curated data set."""
    path = folder / "dataset.json"
    if not path.is_file():
        raise ArtifactError(
            f"{folder} has no dataset.json: expected a curated data set (tasks/dataset). Run curate first."
        )
    return DatasetInfo(**json.loads(path.read_text()))


def split_files(folder: Path, split: str) -> list[Path]:
    """Parquet shards of a split in order; raises ArtifactError when there are none."""
    files = sorted((folder / "data").glob(f"{split}-*-of-*.parquet"))
    if not files:
        raise ArtifactError(
            f"{folder} has no shard data/{split}-*.parquet: expected one of {SPLITS}. Run curate again."
        )
    return files


def load_split(folder: Path, split: str) -> Split:
    """Read one split of a curated data set into memory."""
    info = load_info(folder)
    table = pq.ParquetDataset([str(path) for path in split_files(folder, split)]).read()
    ids = info.label_ids
    labels = np.array([ids[name] for name in table["label"].to_pylist()], dtype=np.int64)
    return Split(table["text"].to_pylist(), labels, table["weight"].to_numpy().astype(np.float64))
