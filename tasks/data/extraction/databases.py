"""Tables inside of SQLite and DuckDB files, read only.

DuckDB is imported where a DuckDB file is opened: pinning, which each run does, looks in here for other files too.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.errors import DataError
from tasks.data.extraction.cap import Reading, uncapped

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 10_000
NUMBER = 8  # bytes
STEPS = 100_000  # of SQLite between two looks at whether the person has pressed Ctrl-C: some milliseconds
SQLITE_MAGIC, DUCKDB_MAGIC = b"SQLite format 3\0", b"DUCK"


def database_kind(path: Path) -> Literal["sqlite", "duckdb"]:
    """Which database a file is, by its first bytes: `.db` is used for both. Raises DataError for anything else."""
    with path.open("rb") as file:
        head = file.read(16)
    if head == SQLITE_MAGIC:
        return "sqlite"
    if head[8:12] == DUCKDB_MAGIC:
        return "duckdb"
    raise DataError(
        f"{path.name} is neither a SQLite nor a DuckDB file: expected one of these. Give a CSV or parquet "
        "file instead."
    )


def table_names(path: Path) -> tuple[list[str], list[str]]:
    """Tables of a database file, and its views, both sorted."""
    if database_kind(path) == "sqlite":
        with closing(_open_sqlite(path)) as database:
            query = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'"
            rows = list(_sqlite_rows(path, database, query))
    else:
        with closing(_open_duckdb(path)) as connection:
            query = "SELECT table_name, lower(table_type) FROM information_schema.tables WHERE table_schema = 'main'"
            rows = connection.execute(query).fetchall()
    views = sorted(str(name) for name, kind in rows if kind == "view")
    return sorted(str(name) for name, kind in rows if kind != "view"), views


def sqlite_columns(path: Path, table: str) -> list[str]:
    """Columns of a SQLite table in their order."""
    with closing(_open_sqlite(path)) as database:
        return [str(row[1]) for row in _sqlite_rows(path, database, f"PRAGMA table_info({_name(table)})")]


def sqlite_records(path: Path, table: str, reading: Reading = uncapped) -> Iterator[tuple[object, ...]]:
    """Rows of a SQLite table, counted. Raises DataError for text that is not UTF-8 and for a damaged file."""
    count = reading()
    with closing(_open_sqlite(path)) as database:
        for row in _sqlite_rows(path, database, f"SELECT * FROM {_name(table)}"):
            count(sum(len(cell) if isinstance(cell, str | bytes) else NUMBER for cell in row))
            yield row


def duckdb_batches(path: Path, table: str, reading: Reading = uncapped) -> "Iterator[pa.RecordBatch]":
    """Rows of a DuckDB table in their order, as Arrow, counted. Always gives at least one batch, empty if need be."""
    import duckdb
    import pyarrow as pa

    with closing(_open_duckdb(path)) as connection:
        try:
            reader = connection.sql(f"SELECT * FROM {_name(table)}").to_arrow_reader(BATCH_ROWS)
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            count = reading()
            for batch in reader:
                count(batch.nbytes)
                yield batch
        except duckdb.Error as error:
            raise DataError(
                f"{path.name}::{table} cannot be read: {error}. Repair the file or export it as parquet."
            ) from None


def _open_sqlite(path: Path) -> sqlite3.Connection:
    log = path.with_name(path.name + "-wal")
    if log.is_file() and log.stat().st_size:
        raise DataError(
            f"{path.name} has changes that lie beside it in {log.name}: expected a closed database. Close "
            "the program that writes to it, then run again."
        )
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    # A view may look for its next row for ever. Python runs what is to happen at Ctrl-C when it is called again.
    database.set_progress_handler(lambda: 0, STEPS)
    return database


def _sqlite_rows(path: Path, database: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    try:
        yield from database.execute(query)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            # It says that it was stopped, and does not pass on what was raised in the handler.
            raise KeyboardInterrupt from None
        raise DataError(
            f"{path.name} cannot be read: {error}. Repair the file or export the table as CSV in UTF-8."
        ) from None


def _open_duckdb(path: Path) -> "duckdb.DuckDBPyConnection":
    import duckdb

    try:
        # One thread keeps the rows in their order, and nothing of the file may load an extension or open another file.
        return duckdb.connect(
            str(path), read_only=True, config={"threads": 1, "enable_external_access": False}
        )
    except duckdb.Error as error:
        raise DataError(
            f"{path.name} cannot be opened: {error}. Close the program that holds it, or export as parquet."
        ) from None


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
