"""Files of code as an extract has them: `text, repo_name, path, license, copies, row`, read some at a time.

`copies` is the number of places where a source has this content, 1 where that is not known.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.errors import ArtifactError, DataError

TEXT_COLUMNS = ("text", "repo_name", "path", "license")
PLACE_COLUMNS = TEXT_COLUMNS[1:]  # where a file is from
COPIES = "copies"  # the one column that a query may leave out
BATCH = 128  # files; about 1 MB, and 128 MB at most


def open_files(folder: Path) -> list[pq.ParquetFile]:
    """The shards of an extract of code. Raises ArtifactError for another folder, DataError when there are no files."""
    paths = sorted(folder.glob("rows-*.parquet"))
    if not paths:
        raise ArtifactError(f"{folder} has no rows-*.parquet: expected an extract. Run extract again.")
    shards = [pq.ParquetFile(path) for path in paths]
    for shard in shards:
        if missing := [name for name in TEXT_COLUMNS if name not in shard.schema_arrow.names]:
            raise ArtifactError(
                f"{folder} lacks the columns {missing}: expected {', '.join(TEXT_COLUMNS)}. Run extract with "
                "--extract.kind code."
            )
    if not sum(shard.metadata.num_rows for shard in shards):
        raise DataError("the extract has no rows: expected files of code. Look at the query.")
    return shards


def read_files(
    shards: list[pq.ParquetFile], columns: tuple[str, ...] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `BATCH` files with these columns, all unless told otherwise; null is "", or one copy."""
    for shard in shards:
        there = shard.schema_arrow.names
        wanted = columns or (*TEXT_COLUMNS, COPIES, "row")
        for batch in shard.iter_batches(BATCH, columns=[name for name in wanted if name in there]):
            yield pa.RecordBatch.from_pydict({name: _column(batch, name) for name in wanted})


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        return pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)
    values = batch.column(name)
    return values if name == "row" else pc.fill_null(values, 1 if name == COPIES else "")
