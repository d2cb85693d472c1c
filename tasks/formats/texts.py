"""Texts of a curated data set as a stream: one batch of one shard is in memory at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from tasks.formats.dataset import split_files

BATCH_ROWS = 1_000


def stream_texts(folder: Path, split: str) -> Iterator[list[str]]:
    """Batches of texts of one split, in order. Raises ArtifactError when the split has no shards."""
    for path in split_files(folder, split):
        for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS, columns=["text"]):
            if batch.num_rows:
                yield batch.column(0).to_pylist()
