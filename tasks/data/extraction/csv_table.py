"""A CSV or TSV file as a table: any of the usual delimiters, and a clear word on every row that does not fit."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from infra.errors import DataError
from tasks.data.extraction.cap import Reading, uncapped
from tasks.data.extraction.encoding import SHOWN, detect_encoding, numbers, open_text

BATCH_ROWS = 5_000
LONGEST_FIELD = 1 << 24  # characters; a longer one is a quote that was never closed
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SNIFFED = 1 << 16  # characters looked at to find the delimiter
SNIFFED_ROWS = 20
# Excel's first line: no row, but the delimiter.
DECLARED = re.compile(r'"?sep=(\t|[^\w\s"])"?\s*', re.IGNORECASE)


@dataclass
class _Seen:
    """What was noticed in one reading, as row numbers (1-based, the header not counted)."""

    blank: int = 0
    short: int = 0
    first_short: list[int] = field(default_factory=list)
    long: int = 0
    first_long: list[str] = field(default_factory=list)


class CsvTable:
    """A delimited file with a header; every column is text, an empty cell is null.

    Raises DataError for a file without rows, a header with one name twice, an unclosed quote and rows with more cells
    than the header has names. Rows with fewer are filled with null, and `notes` counts them. `reading` counts bytes.
    """

    nested: Mapping[str, int] = MappingProxyType({})  # A cell is text.

    def __init__(self, path: Path, reading: Reading = uncapped) -> None:
        self.path, self._reading = path, reading
        self._encoding = detect_encoding(path, reading)
        self._declared = self._declared_delimiter()
        self._delimiter = self._declared or self._find_delimiter()
        self._seen = _Seen()
        header = next(self._records(), None)
        if header is None:
            raise DataError(f"{path.name} is empty: expected a header with the columns' names, then rows.")
        self.columns = tuple(name.strip() or f"column_{i}" for i, name in enumerate(header[1], start=1))
        if twice := sorted({name for name in self.columns if self.columns.count(name) > 1}):
            raise DataError(
                f"{path.name}, line {header[0]}: the header names {', '.join(map(repr, twice))} more than once: "
                "expected a name for each column. Rename them, or add a header if the first line is a row."
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the last reading."""
        said, seen = [], self._seen
        if self._encoding.note:
            said.append(self._encoding.note)
        if self._delimiter != "," and not self.path.name.lower().startswith(".tsv"):
            name = DELIMITERS.get(self._delimiter, repr(self._delimiter))
            said.append(f"{self.path.name} is delimited by {name}")
        if seen.blank:
            said.append(f"{self.path.name} has {seen.blank:,} blank lines; they are no rows")
        if seen.short:
            rows = numbers([*map(int, seen.first_short)], seen.short)
            said.append(
                f"{self.path.name} has {seen.short:,} rows with fewer cells than the header (row {rows}); "
                "filled with null"
            )
        return tuple(said)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in their order, BATCH_ROWS a batch."""
        self._seen = seen = _Seen()
        rows = self._rows(seen)
        schema = pa.schema([(name, pa.string()) for name in self.columns])
        while batch := list(islice(rows, BATCH_ROWS)):
            columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
        if seen.long:
            raise DataError(
                f"{self.path.name} has {seen.long:,} rows with more cells than the header's "
                f"{len(self.columns)}: {'; '.join(seen.first_long)}. A text that holds the delimiter needs "
                "quotes around it. Export the file again."
            )

    def _rows(self, seen: _Seen) -> Iterator[list[str | None]]:
        width = len(self.columns)
        for number, (line, record) in enumerate(islice(self._records(seen), 1, None), start=1):
            if len(record) < width:
                seen.short += 1
                seen.first_short += [number] if seen.short <= SHOWN else []
                record += [""] * (width - len(record))
            elif any(cell for cell in record[width:]):
                seen.long += 1
                seen.first_long += (
                    [f"row {number} (line {line}) has {len(record)}"] if seen.long <= SHOWN else []
                )
            yield [cell or None for cell in record[:width]]

    def _records(self, seen: _Seen | None = None) -> Iterator[tuple[int, list[str]]]:
        """(line on which it begins, cells) of each record, the header first."""
        csv.field_size_limit(LONGEST_FIELD)
        with open_text(self.path, self._encoding, self._reading) as text:
            skipped = 1 if self._declared and text.readline() else 0
            reader, line = csv.reader(text, delimiter=self._delimiter, strict=True), 1 + skipped
            try:
                for record in reader:
                    if record:
                        yield line, record
                    elif seen is not None:
                        seen.blank += 1
                    line = reader.line_num + 1 + skipped
            except csv.Error as error:
                raise DataError(
                    f"{self.path.name}, the row that begins on line {line}: {error}. Expected quotes around "
                    "a text that holds the "
                    'delimiter or a line break, closed again, with "" for a quote inside. Correct the row.'
                ) from None

    def _declared_delimiter(self) -> str | None:
        with open_text(self.path, self._encoding, self._reading) as text:
            declared = DECLARED.fullmatch(text.readline(SNIFFED))
        return declared[1] if declared else None

    def _find_delimiter(self) -> str:
        if ".tsv" in self.path.suffixes[-2:]:
            return "\t"
        with open_text(self.path, self._encoding, self._reading) as text:
            sample = text.read(SNIFFED)
        best, best_score = ",", (0.0, 1)
        for delimiter in DELIMITERS:
            try:
                rows = list(
                    islice(
                        filter(None, csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)),
                        SNIFFED_ROWS,
                    )
                )
            except csv.Error:
                continue
            width = len(rows[0]) if rows else 0
            score = (sum(len(row) == width for row in rows) / max(len(rows), 1), width)
            if width > 1 and score > best_score:
                best, best_score = delimiter, score
        return best
