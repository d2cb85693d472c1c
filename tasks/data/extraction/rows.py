"""Rows as the next stage reads them: the same few columns whatever they came from, in parquet, streamed."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm import tqdm

from infra.errors import DataError
from tasks.data.extraction.columns import Columns, offered
from tasks.data.extraction.encoding import SHOWN, numbers
from tasks.data.extraction.source import SPLIT_NAMES

ROWS_PER_FILE = 100_000


def standard_rows(
    batches: Iterator[pa.RecordBatch], columns: Columns, name: str, split: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches with `text, label` (string, null kept), `split, group` (string) where there are
    such columns, and `row` (int64): that column, or the row's number in `name`, from 1.

    `split` stands for every row when files give it. Raises DataError naming rows whose split cannot be used.
    """
    first = 1
    for batch in batches:
        if missing := [column for column in columns.named().values() if column not in batch.schema.names]:
            raise DataError(
                f"{name} has no column {missing[0]!r}: {offered(missing[0], batch.schema.names)}. Correct the name."
            )
        numbered = pa.array(range(first, first + batch.num_rows), pa.int64())
        given = {purpose: batch.column(column) for purpose, column in columns.named().items()}
        row = numbered if columns.row is None else _number(given["row"], "row", pa.int64(), numbered, name)
        made = {
            "text": _text(given["text"], columns.text, name, prose=True),
            "label": _text(given["label"], columns.label, name),
        }
        if split is not None:
            made["split"] = pa.array([split] * batch.num_rows, pa.string())
        elif columns.split is not None:
            made["split"] = _split(_text(given["split"], columns.split, name), row, name)
        if columns.group is not None:
            made["group"] = _text(given["group"], columns.group, name)
        yield pa.RecordBatch.from_pydict({**made, "row": row})
        first += batch.num_rows


def write_rows(batches: Iterator[pa.RecordBatch], folder: Path, total: int | None) -> int:
    """Write `rows-00000.parquet, ...` of ROWS_PER_FILE rows each, a batch at a time, and give the number of rows."""
    rows, writer = 0, None
    with tqdm(total=total, desc="extract", unit=" rows", unit_scale=True, disable=None) as bar:
        try:
            for batch in batches:
                while batch.num_rows:
                    room = ROWS_PER_FILE - rows % ROWS_PER_FILE
                    piece, batch = batch.slice(0, room), batch.slice(room)
                    if writer is None:
                        writer = pq.ParquetWriter(
                            folder / f"rows-{rows // ROWS_PER_FILE:05}.parquet",
                            piece.schema,
                            compression="zstd",
                        )
                    writer.write_batch(piece)
                    rows += piece.num_rows
                    bar.update(piece.num_rows)
                    if rows % ROWS_PER_FILE == 0:
                        writer.close()
                        writer = None
        finally:
            if writer is not None:
                writer.close()
    return rows


def _text(values: pa.Array, column: str, name: str, prose: bool = False) -> pa.Array:
    """Values as text; labels may be numbers, a text may not."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    plain = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    simple = plain or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not (plain if prose else simple):
        expected = "text" if prose else "text or numbers, one value a row"
        raise DataError(
            f"{name}: column {column!r} holds {kind}: expected {expected}. Name another column or convert it."
        )
    return pc.cast(values, pa.string())


def _split(values: pa.Array, row: pa.Array, name: str) -> pa.Array:
    known = {value: SPLIT_NAMES.get(str(value).strip().lower()) for value in values.unique().to_pylist()}
    if unknown := {value for value, split in known.items() if split is None}:
        said = ", ".join(sorted("nothing" if value is None else repr(value) for value in unknown))
        which = _rows(row, [value in unknown for value in values.to_pylist()])
        raise DataError(
            f"{name}, row {which}: the split is {said}. Expected train, validation or test in every row. Correct it."
        )
    return pa.array([known[value] for value in values.to_pylist()], pa.string())


def _number(values: pa.Array, column: str, kind: pa.DataType, row: pa.Array, name: str) -> pa.Array:
    try:
        return pc.cast(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        first = row[0].as_py() if len(row) else 1
        raise DataError(
            f"{name}, in the rows from {first} on: {column!r} is not a number ({error}). Correct the column."
        ) from None


def _rows(row: pa.Array, wrong: list[bool]) -> str:
    which = [number for number, is_wrong in zip(row.to_pylist(), wrong, strict=True) if is_wrong]
    return numbers(which[:SHOWN], len(which))
