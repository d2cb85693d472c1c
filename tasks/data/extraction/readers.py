"""One way to read every kind of table: its columns, its rows as Arrow batches, and what is to be said of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import DataError
from tasks.data.extraction.cap import Cap, Reading, uncapped
from tasks.data.extraction.csv_table import CsvTable
from tasks.data.extraction.databases import duckdb_batches
from tasks.data.extraction.record_table import json_table, sqlite_table
from tasks.data.extraction.source import SourceFile

BATCH_ROWS = 5_000


class TableReader(Protocol):
    """A table that can be read any number of times, in constant memory, always in the same order."""

    columns: tuple[str, ...]

    @property
    def nested(self) -> Mapping[str, int]:
        """Columns that are JSON text because they hold a list or an object -> the first such row, from 1."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed, one sentence each; complete after a whole reading."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows. Raises DataError naming rows that cannot be read."""


def open_table(file: SourceFile, cap: Cap | None = None) -> TableReader:
    """The reader for a file. Raises DataError when it is not what its name says; CostCapError, then or while its rows
    are read, when it holds more than the cap."""
    reading = cap.of(str(file.spec)) if cap is not None else uncapped
    if file.format == "csv":
        return CsvTable(file.path, reading)
    if file.format == "jsonl":
        return json_table(file.path, reading)
    if file.format == "sqlite":
        return sqlite_table(file.path, file.table or "", reading)
    return DuckDBTable(file, reading) if file.format == "duckdb" else ParquetTable(file.path, reading)


class ParquetTable:
    """A parquet file. Its own account of what it holds unpacked is counted before anything is read."""

    notes: tuple[str, ...] = ()
    nested: Mapping[str, int] = MappingProxyType({})  # Such a column keeps its type.

    def __init__(self, path: Path, reading: Reading = uncapped) -> None:
        self.path, self._reading = path, reading
        try:
            metadata = pq.read_metadata(path)
            self.columns: tuple[str, ...] = tuple(metadata.schema.to_arrow_schema().names)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{path.name} is not a parquet file that can be read ({error}). Write it again."
            ) from None
        reading()(sum(_unpacked(metadata.row_group(group)) for group in range(metadata.num_row_groups)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, a row group at a time."""
        count = self._reading()
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(BATCH_ROWS):
                    count(batch.nbytes)
                    yield batch
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"{self.path.name} is damaged ({error}): expected a whole parquet file. Write it again."
            ) from None


class DuckDBTable:
    """A table of a DuckDB file."""

    notes: tuple[str, ...] = ()
    nested: Mapping[str, int] = MappingProxyType({})  # Such a column keeps its type.

    def __init__(self, file: SourceFile, reading: Reading = uncapped) -> None:
        self.file, self._reading = file, reading
        self.columns: tuple[str, ...] = tuple(next(self.batches()).schema.names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows; the first batch is empty and only has the columns."""
        return duckdb_batches(self.file.path, self.file.table or "", self._reading)


def _unpacked(group: pq.RowGroupMetaData) -> int:
    return sum(group.column(index).total_uncompressed_size for index in range(group.num_columns))
