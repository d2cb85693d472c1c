"""Files of source code as the next stage reads them: the text, and where it is from."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from infra.errors import DataError
from tasks.data.extraction.columns import offered
from tasks.formats.code_rows import COPIES, TEXT_COLUMNS


def code_rows(batches: Iterator[pa.RecordBatch], name: str) -> Iterator[pa.RecordBatch]:
    """Batches with `text, repo_name, path, license` (string, null kept) and `row` (int64), counted from 1.

    `copies` (int64, null kept) comes along where there is such a column. Raises DataError when one of the others is not
    there or holds something else than text, or copies are no whole numbers.
    """
    first = 1
    for batch in batches:
        made: dict[str, pa.Array] = {}
        for column in TEXT_COLUMNS:
            if column not in batch.schema.names:
                raise DataError(
                    f"{name} has no column {column!r}: {offered(column, batch.schema.names)}. Expected "
                    f"{', '.join(TEXT_COLUMNS)} for extract.kind code. Name it so (AS)."
                )
            values = batch.column(column)
            if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
                raise DataError(
                    f"{name}: column {column!r} holds {values.type}: expected text. Convert it in the query."
                )
            made[column] = pc.cast(values, pa.string())
        if COPIES in batch.schema.names:
            copies = batch.column(COPIES)
            if not pa.types.is_integer(copies.type):
                raise DataError(
                    f"{name}: column {COPIES!r} holds {copies.type}: expected whole numbers. Convert it in the query, or "
                    "leave it out."
                )
            made[COPIES] = pc.cast(copies, pa.int64())
        made["row"] = pa.array(range(first, first + batch.num_rows), pa.int64())
        yield pa.RecordBatch.from_pydict(made)
        first += batch.num_rows
