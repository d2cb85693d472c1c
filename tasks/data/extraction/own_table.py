"""Your own table as rows with a text and a label: one file, or several that together are one table."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa

from infra.errors import ConfigError, CostCapError, DataError
from tasks.data.extraction.cap import Cap
from tasks.data.extraction.columns import Columns, choose_columns
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.readers import TableReader, open_table
from tasks.data.extraction.rows import standard_rows
from tasks.data.extraction.source import SourceFile, SourceTables
from tasks.formats.extraction import ExtractPlan

SAMPLE_ROWS = 5_000


@dataclass
class OwnTable:
    """Opened files with the columns chosen. `notes` grows while the rows are read."""

    files: tuple[SourceFile, ...]
    readers: tuple[TableReader, ...]
    columns: Columns
    splits: tuple[str | None, ...]  # of each file, where the files' names give it
    chosen: tuple[str, ...]
    size: int
    _read: list[str] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed and decided; complete after all rows were read."""
        return (*self.chosen, *self._read)

    @property
    def sql(self) -> str:
        """The SELECT that says the same, for the record and the card."""
        selected = ", ".join(
            f"`{column}` AS {purpose}" if column != purpose else purpose
            for purpose, column in self.columns.named().items()
        )
        return "\nUNION ALL\n".join(f"SELECT {selected} FROM `{file.sql_name}`" for file in self.files)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, file by file, with their number in the file."""
        self._read.clear()
        for file, reader, split in zip(self.files, self.readers, self.splits, strict=True):
            yield from standard_rows(reader.batches(), self.columns, file.name, split)
            self._read.extend(reader.notes)


def open_own_table(config: ExtractConfig, sources: SourceTables) -> OwnTable:
    """Open the files and choose the columns.

    Raises ConfigError for files that are not one table and columns that are not there, DataError for a file that cannot
    be read and for a list in a column that is used, CostCapError for files above the cap, packed or unpacked.
    """
    if sources.bytes > config.max_bytes:
        raise CostCapError(
            f"the files have {sources.bytes:,} bytes: the cap is {config.max_bytes:,}, so nothing was read. "
            "Give fewer, or raise --extract.max-bytes."
        )
    splits, said = _splits_by_file(config, sources.files)
    cap = Cap(config.max_bytes)
    readers = tuple(open_table(file, cap) for file in sources.files)
    first, name = readers[0], sources.files[0].name
    header = sources.files[0].format == "csv"
    columns, chosen = choose_columns(config, name, _sample(first), header, find_split=not any(splits))
    for file, reader in zip(sources.files, readers, strict=True):
        if missing := [column for column in columns.named().values() if column not in reader.columns]:
            raise ConfigError(
                f"{file.name} has no column {missing[0]!r} as {name} has: it has "
                f"{', '.join(reader.columns)}. Expected the same columns in files that are one table. Give "
                "one file (FILE::TABLE in a database), or a query over them."
            )
        _refuse_nested(columns, file.name, reader)
    return OwnTable(sources.files, readers, columns, splits, (*chosen, *said), sources.bytes)


def plan_own_table(table: OwnTable) -> ExtractPlan:
    """Rows (counted by reading, which also finds every fault in the files) and bytes."""
    rows = sum(batch.num_rows for batch in table.batches())
    return ExtractPlan(rows=rows, bytes=table.size, notes=table.notes)


def _splits_by_file(
    config: ExtractConfig, files: tuple[SourceFile, ...]
) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    """The split of each file, when the names of at least two say different ones."""
    named = [file.split for file in files]
    nothing = (None,) * len(files)
    if config.split_column is not None or len({split for split in named if split}) < 2:
        return nothing, ()
    if unnamed := [file.name for file, split in zip(files, named, strict=True) if split is None]:
        raise ConfigError(
            f"some files are named after a split and {', '.join(unnamed)} not: expected all or none. Rename "
            "them, or give the files to be used one by one."
        )
    said = ", ".join(f"{file.name} is {split}" for file, split in zip(files, named, strict=True))
    return tuple(named), (f"the files' names give the split: {said}",)


def _refuse_nested(columns: Columns, name: str, reader: TableReader) -> None:
    """A query may take such a value apart; as a text or a label its JSON would pass for one."""
    for purpose, column in columns.named().items():
        if column in reader.nested:
            raise DataError(
                f"{name}, row {reader.nested[column]}: column {column!r} holds a list or an object: expected one value "
                f"a row. Name another column (--extract.{purpose}-column), or convert it."
            )


def _sample(reader: TableReader) -> pa.RecordBatch:
    """The first rows; at least one batch, which has the columns even if it is empty."""
    schema = pa.schema([(column, pa.string()) for column in reader.columns])
    for batch in islice(reader.batches(), 2):
        if batch.num_rows:
            return batch.slice(0, SAMPLE_ROWS)
    return pa.RecordBatch.from_pylist([], schema=schema)
