"""One way to read every kind of table: its columns, its rows as Arrow batches, and what is to be said of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import DataError
from tasks.extract.csv_table import CsvTable
from tasks.extract.databases import duckdb_batches
from tasks.extract.record_table import json_table, sqlite_table
from tasks.extract.source import SourceFile

BATCH_ROWS = 5_000


class TableReader(Protocol):
    """A table that can be read any number of times, in constant memory, always in the same order."""

    columns: tuple[str, ...]

    @property
    def nested(self) -> Mapping[str, int]:
        """Columns that are JSON text because they hold a list or an object -> the first such row, from 1."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed, one sentence each; complete after a whole reading."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows. Raises DataError naming rows that cannot be read."""
        ...


def open_table(file: SourceFile) -> TableReader:
    """The reader for a file. Raises DataError when it is not what its name says."""
    if file.format == "csv":
        return CsvTable(file.path)
    if file.format == "jsonl":
        return json_table(file.path)
    if file.format == "sqlite":
        return sqlite_table(file.path, file.table or "")
    return DuckDBTable(file) if file.format == "duckdb" else ParquetTable(file.path)


class ParquetTable:
    """A parquet file."""

    notes: tuple[str, ...] = ()
    nested: Mapping[str, int] = MappingProxyType({})  # Such a column keeps its type.

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.columns: tuple[str, ...] = tuple(pq.read_schema(path).names)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{path.name} is not a parquet file that can be read ({error}). Write it again."
            ) from None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, a row group at a time."""
        try:
            with pq.ParquetFile(self.path) as file:
                yield from file.iter_batches(BATCH_ROWS)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.path.name} is damaged ({error}): expected a whole parquet file. Write it again."
            ) from None


class DuckDBTable:
    """A table of a DuckDB file."""

    notes: tuple[str, ...] = ()
    nested: Mapping[str, int] = MappingProxyType({})  # Such a column keeps its type.

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.columns: tuple[str, ...] = tuple(next(self.batches()).schema.names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows; the first batch is empty and only has the columns."""
        return duckdb_batches(self.file.path, self.file.table or "")
