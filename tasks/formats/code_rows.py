"""Files of code as a table: `text, repo_name, path, license, copies, row`, and what the curation log asks of any row.

`copies` is the number of places where a source has this content, 1 where that is not known. `label` is where a file is from
(repository/path), as the log shows it; `split` is train until one is made.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.errors import ArtifactError, DataError

TEXT_COLUMNS = ("text", "repo_name", "path", "license")
PLACE_COLUMNS = TEXT_COLUMNS[1:]  # where a file is from
COPIES = "copies"  # the one column that a query may leave out


def read_files(folder: Path) -> pa.Table:
    """Files of an extract of code. Raises ArtifactError for another folder, DataError when there are none."""
    shards = sorted(folder.glob("rows-*.parquet"))
    if not shards:
        raise ArtifactError(f"{folder} has no rows-*.parquet: expected an extract. Run extract again.")
    table = pa.concat_tables([pq.read_table(path) for path in shards])
    if missing := [name for name in TEXT_COLUMNS if name not in table.column_names]:
        raise ArtifactError(
            f"{folder} lacks the columns {missing}: expected {', '.join(TEXT_COLUMNS)}. Run extract with "
            "--extract.kind code."
        )
    if table.num_rows == 0:
        raise DataError("the extract has no rows: expected files of code. Look at the query.")
    columns = {name: pc.fill_null(table[name], "") for name in TEXT_COLUMNS}
    columns["row"] = table["row"]
    known = COPIES in table.column_names
    copies = table[COPIES] if known else pa.chunked_array([pa.nulls(table.num_rows, pa.int64())])
    columns[COPIES] = pc.fill_null(copies, 1)
    columns["label"] = pc.binary_join_element_wise(columns["repo_name"], columns["path"], "/")
    columns["split"] = pa.chunked_array([pa.array(["train"] * table.num_rows, pa.string())])
    return pa.table(columns)
