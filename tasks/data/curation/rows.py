"""The one document type of curation: a table of rows, from the extract's parquet to the curated shards.

Columns: `text`, `label`, `split` (train until another is given or made), `group` (null: on its own),
`row` (number in the source, null if unknown) and, once texts are final, `key` (see near.py).
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.errors import ArtifactError, DataError
from tasks.formats.dataset import DATASET_FILE, DatasetInfo, write_shards
from tasks.formats.value import write_value

TYPES = {
    "text": pa.string(),
    "label": pa.string(),
    "split": pa.string(),
    "group": pa.string(),
    "row": pa.int64(),
}
ROW_GROUP = 50_000


def read_rows(folder: Path) -> pa.Table:
    """Rows of an extract artifact with every column of `TYPES`; what it lacks is null.

    Raises ArtifactError for a folder that is no extract, DataError for no rows.
    """
    files = sorted(folder.glob("rows-*.parquet"))
    if not files:
        raise ArtifactError(f"{folder} has no rows-*.parquet: expected an extract. Run extract again.")
    table = pa.concat_tables([pq.read_table(path) for path in files], promote_options="default")
    if missing := {"text", "label"} - set(table.column_names):
        raise ArtifactError(
            f"{folder} lacks the columns {sorted(missing)}: expected text and label. Run extract again."
        )
    if table.num_rows == 0:
        raise DataError(
            "the extract has no rows: expected texts with labels. Look at the query or the table."
        )
    columns = {
        name: table[name].cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
        for name, kind in TYPES.items()
    }
    return pa.table(columns)


def replace(rows: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with one column replaced."""
    return rows.set_column(rows.column_names.index(name), name, values)


def in_split(rows: pa.Table, split: str) -> np.ndarray:
    """Which rows are in a split, bool [n]."""
    return pc.equal(rows["split"], split).to_numpy(zero_copy_only=False)


def codes(*columns: pa.ChunkedArray) -> np.ndarray:
    """A number for each row, int64 [n], equal for rows whose values are equal in all columns."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        encoded = column.combine_chunks().dictionary_encode()
        size = len(encoded.dictionary)
        _, code = np.unique(code * size + encoded.indices.to_numpy().astype(np.int64), return_inverse=True)
    return code


def write_dataset(rows: pa.Table, info: DatasetInfo, output: Path, rows_per_shard: int) -> None:
    """Write `dataset.json` and, in the rows' order, `data/{split}-00000-of-0000N.parquet`."""
    parts = (
        (split, rows.filter(pc.equal(rows["split"], split)).select(["text", "label"])) for split in info.rows
    )
    write_shards(((split, part.combine_chunks()) for split, part in parts), output, rows_per_shard, ROW_GROUP)
    write_value(output / DATASET_FILE, info)
