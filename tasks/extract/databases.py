"""Tables inside of SQLite and DuckDB files, read only.

DuckDB is imported where a DuckDB file is opened: pinning, which each run does, looks in here for other files too.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 10_000
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


def table_names(path: Path) -> list[str]:
    """Tables and views of a database file, sorted."""
    if database_kind(path) == "sqlite":
        with closing(_open_sqlite(path)) as database:
            rows = _sqlite_rows(
                path, database, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            )
            return sorted(str(row[0]) for row in rows if not str(row[0]).startswith("sqlite_"))
    with closing(_open_duckdb(path)) as connection:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
        return sorted(row[0] for row in connection.execute(query).fetchall())


def sqlite_columns(path: Path, table: str) -> list[str]:
    """Columns of a SQLite table in their order."""
    with closing(_open_sqlite(path)) as database:
        return [str(row[1]) for row in _sqlite_rows(path, database, f"PRAGMA table_info({_name(table)})")]


def sqlite_records(path: Path, table: str) -> Iterator[tuple[object, ...]]:
    """Rows of a SQLite table. Raises DataError for text that is not UTF-8 and for a damaged file."""
    with closing(_open_sqlite(path)) as database:
        yield from _sqlite_rows(path, database, f"SELECT * FROM {_name(table)}")


def duckdb_batches(path: Path, table: str) -> "Iterator[pa.RecordBatch]":
    """Rows of a DuckDB table in their order, as Arrow. Always gives at least one batch, empty if need be."""
    import duckdb
    import pyarrow as pa

    with closing(_open_duckdb(path)) as connection:
        try:
            reader = connection.sql(f"SELECT * FROM {_name(table)}").to_arrow_reader(BATCH_ROWS)
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            yield from reader
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
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _sqlite_rows(path: Path, database: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    try:
        yield from database.execute(query)
    except sqlite3.Error as error:
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
