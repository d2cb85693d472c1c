"""A warehouse without a server: DuckDB over parquet files, speaking BigQuery's SQL.

One thread, and rows kept in order: the same query over the same files gives the same rows in the same order. A query
reads the given tables and nothing else: the file system is closed to it.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import farmhash
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.func import PythonUDFType

from infra.errors import ConfigError, StillhouseError, StoreError, WarehouseError
from infra.files import file_digest
from infra.warehouse.batches import even
from infra.warehouse.dialect import Schema, Statement, read_statement
from infra.warehouse.messages import choices, error_at, offset_of_name
from infra.warehouse.protocol import BATCH_ROWS, Execution, Query, QueryPlan, TableInfo, check_cap

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_COLUMN = re.compile(r'(?:Referenced column "|column named ")([^"]+)"')
_NO_ALIAS = re.compile(r'Referenced table "([^"]+)" not found')
_NO_FUNCTION = re.compile(r"Function with name (\S+) does not exist")


class DuckDBWarehouse:
    """Warehouse over `tables`: name -> parquet file.

    `memory_mb` bounds DuckDB's own memory; what does not fit (a sort) goes to a temporary folder in `spill`, or in the
    system's place for such files. Raises ConfigError for a name that SQL cannot say, WarehouseError for a file that is
    not parquet.
    """

    def __init__(self, tables: Mapping[str, Path], spill: Path | None = None, memory_mb: int = 1024) -> None:
        if wrong := sorted(name for name in tables if not _NAME.fullmatch(name)):
            raise ConfigError(
                f"{wrong} cannot be names of tables: expected letters, digits and _. Rename them."
            )
        self._files = {name: path.resolve() for name, path in tables.items()}
        self._schema = {name: _columns(name, path) for name, path in self._files.items()}
        self._spill, self._memory_mb = spill, memory_mb

    def dry_run(self, query: Query) -> QueryPlan:
        """Rows, counted (here that costs nothing), and uncompressed bytes of the columns that are read."""
        statement = self._checked(query)
        (counted,) = self._batches(statement, f"SELECT count(*) FROM ({statement.duckdb()})")
        return QueryPlan(rows=counted.column(0)[0].as_py(), bytes=self._bytes(statement))

    def stream(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The rows in the query's order. A bad query is refused at the call."""
        statement = self._checked(query)
        return even(self._batches(statement, statement.duckdb()), BATCH_ROWS)

    def tables(self, query: Query) -> list[TableInfo]:
        """Each table that the query reads, by name."""
        infos = []
        for name in read_statement(query, self._files).tables:
            path, rows = self._files[name], pq.read_metadata(self._files[name]).num_rows
            infos.append(TableInfo(name, file_digest(path), sum(_column_bytes(path).values()), rows))
        return infos

    def execution(self, query: Query) -> Execution:
        """The statement as DuckDB gets it."""
        return Execution(sql=read_statement(query, self._files).duckdb())

    def _checked(self, query: Query) -> Statement:
        """The statement, once DuckDB has accepted it and it is within its cap. Nothing has been run by then."""
        statement = read_statement(query, self._files)
        list(self._batches(statement, f"EXPLAIN {statement.duckdb()}"))
        check_cap(query, self._bytes(statement))
        return statement

    # An error is explained and raised in a frame that has no connection: Prefect keeps errors, with the frames they
    # passed, to the end of the process, and DuckDB complains of what is still open then.

    def _batches(self, statement: Statement, sql: str) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._run(statement.query, sql)
            return
        except duckdb.Error as error:
            explained = _explain(error, statement, self._schema)
        raise explained

    def _run(self, query: Query, sql: str) -> Iterator[pa.RecordBatch]:
        with self._connection() as connection:
            yield from connection.sql(sql, params=_bound(query)).to_arrow_reader(BATCH_ROWS)

    def _bytes(self, statement: Statement) -> int:
        read = statement.columns(self._schema)
        sizes = {table: _column_bytes(self._files[table]) for table in read}
        return sum(sizes[table][column] for table, columns in read.items() for column in columns)

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with tempfile.TemporaryDirectory(prefix="warehouse-", dir=self._spill) as spill:
            connection = duckdb.connect(
                ":memory:",
                config={"threads": 1, "memory_limit": f"{self._memory_mb}MB", "temp_directory": spill},
            )
            try:
                connection.create_function(
                    "farm_fingerprint", _farm_fingerprint, ["VARCHAR"], "BIGINT", type=PythonUDFType.ARROW
                )
                connection.execute("SET TimeZone = 'UTC'")  # as BigQuery's, wherever this machine is
                for name, path in self._files.items():
                    connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet({_quoted(path)})')
                # Last: from here on the query can open the tables' files and its own spill, and change no setting.
                files = ", ".join(_quoted(path) for path in self._files.values())
                connection.execute(f"SET allowed_paths = [{files}]")
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
                yield connection
            finally:
                connection.close()


def _explain(error: duckdb.Error, statement: Statement, schema: Schema) -> StillhouseError:
    """DuckDB's error in the words of who wrote the query, at the place in their text."""
    query, message = statement.query, str(error)
    if found := _NO_COLUMN.search(message):
        known = {column for table in statement.tables for column in schema[table]}
        what = f"no column `{found[1]}`: {choices(found[1], known, 'column')}. Correct the name."
        return error_at(query, offset_of_name(query.sql, found[1]), what)
    if found := _NO_ALIAS.search(message):
        what = f"nothing in FROM or JOIN is called `{found[1]}`. Correct the name before the dot."
        return error_at(query, offset_of_name(query.sql, found[1]), what)
    if found := _NO_FUNCTION.search(message):
        what = (
            f"function {found[1].upper()} has no counterpart in the embedded warehouse. Say it with others."
        )
        return error_at(query, offset_of_name(query.sql, found[1]), what)
    if "No space left" in message:
        return StoreError(
            f"the disk is full while {query.name} sorts or joins: expected room. Free space and run again."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError(
            f"{query.name} needs more memory than the warehouse may use: expected a query that streams. "
            "Select fewer columns, or drop ORDER BY, DISTINCT and ARRAY_AGG over long texts."
        )
    what = message.split("\n\nLINE")[0].strip().replace("\n", " ").split("Error: ", 1)[-1].rstrip(".")
    return WarehouseError(f"{query.name} cannot be run: {what}. Correct the query.")


def _farm_fingerprint(texts: pa.Array) -> pa.Array:
    """BigQuery's FARM_FINGERPRINT: FarmHash Fingerprint64 as a signed 64-bit number; NULL stays NULL."""
    marks = [None if text is None else farmhash.fingerprint64(text) for text in texts.to_pylist()]
    return pa.array(marks, pa.uint64()).view(pa.int64())


def _bound(query: Query) -> dict[str, object]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in query.parameters.items()
    }


def _columns(name: str, path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (OSError, pa.ArrowInvalid) as error:
        raise WarehouseError(
            f"table {name} ({path}) cannot be read: expected a parquet file ({error}). Make it anew."
        ) from None


def _column_bytes(path: Path) -> dict[str, int]:
    """Uncompressed bytes of each column, from the file's metadata alone."""
    metadata = pq.read_metadata(path)
    sizes = dict.fromkeys(metadata.schema.to_arrow_schema().names, 0)
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            sizes[column.path_in_schema.split(".")[0]] += column.total_uncompressed_size
    return sizes


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
