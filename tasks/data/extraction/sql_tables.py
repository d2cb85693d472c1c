"""The tables that a query sees: every source as a parquet file under its SQL name, streamed."""

from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.errors import ConfigError
from tasks.data.extraction.cap import Cap
from tasks.data.extraction.readers import TableReader, open_table
from tasks.data.extraction.source import SourceFile, SourceTables

# A CSV has only text. A column has the first type that says every cell; a number with a leading zero is a code.
_TYPES = (
    (pa.int64(), r"^-?(0|[1-9][0-9]{0,17})$"),
    (pa.float64(), r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"),
    (pa.bool_(), r"^(true|false|True|False|TRUE|FALSE)$"),
    (pa.date32(), r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    (pa.timestamp("us"), r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"),
)


def sql_tables(
    sources: SourceTables, folder: Path, cap: Cap | None = None
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """SQL name -> parquet file for each source, and what is to be said of them; the rest is converted in `folder`.

    Raises ConfigError when two sources have one name, DataError for a file that cannot be read, CostCapError when what
    has to be converted is above the cap.
    """
    tables: dict[str, Path] = {}
    notes: list[str] = []
    for file in sources.files:
        if file.sql_name in tables:
            raise ConfigError(
                f"two tables are called {file.sql_name!r} (one is {file.name}): expected one each. Rename a file."
            )
        tables[file.sql_name] = file.path if file.format == "parquet" else folder / f"{file.sql_name}.parquet"
        if file.format != "parquet":
            notes += _convert(file, tables[file.sql_name], cap)
    return tables, tuple(notes)


def _convert(file: SourceFile, target: Path, cap: Cap | None) -> tuple[str, ...]:
    reader = open_table(file, cap)
    schema = _csv_types(reader) if file.format == "csv" else None
    target.parent.mkdir(parents=True, exist_ok=True)
    batches = reader.batches()
    first = next(batches, None)
    schema = schema or (
        first.schema if first is not None else pa.schema([(name, pa.string()) for name in reader.columns])
    )
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in chain([] if first is None else [first], batches):
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [_cast(batch.column(f.name), f.type) for f in schema], schema=schema
                )
            )
    return reader.notes


def _csv_types(reader: TableReader) -> pa.Schema:
    """Types of a CSV's columns by all of their cells."""
    left = {name: list(_TYPES) for name in reader.columns}
    seen = dict.fromkeys(reader.columns, False)
    for batch in reader.batches():
        for name in reader.columns:
            cells = batch.column(name).drop_null()
            if len(cells):
                seen[name] = True
                left[name] = [(kind, pattern) for kind, pattern in left[name] if _fits(cells, kind, pattern)]
    return pa.schema(
        [(name, left[name][0][0] if seen[name] and left[name] else pa.string()) for name in reader.columns]
    )


def _fits(cells: pa.Array, kind: pa.DataType, pattern: str) -> bool:
    if not pc.all(pc.match_substring_regex(cells, pattern)).as_py():
        return False
    try:
        _cast(cells, kind)
    except pa.ArrowInvalid:  # It looks like a date and is none: 2023-02-30.
        return False
    return True


def _cast(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    return pc.cast(
        pc.utf8_lower(cells) if pa.types.is_boolean(kind) and pa.types.is_string(cells.type) else cells, kind
    )
