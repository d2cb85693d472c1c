"""Tables of Python values (JSON lines, SQLite): one reading finds columns and types, the next gives the rows."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa

from infra.errors import DataError
from tasks.data.extraction.cap import Reading, uncapped
from tasks.data.extraction.databases import sqlite_columns, sqlite_records
from tasks.data.extraction.encoding import detect_encoding, open_text

BATCH_ROWS = 5_000
LARGEST = 1 << 63  # beyond it a whole number does not fit in 64 bits and stays text
Record = dict[str, object]


class RecordTable:
    """Rows given by `read`, again at each call. A column that holds several kinds of values becomes text.

    Raises DataError when there are no rows, and says the `remedy` for it.
    """

    def __init__(
        self, name: str, read: Callable[[], Iterator[Record]], remedy: str, notes: tuple[str, ...] = ()
    ) -> None:
        self._name, self._read, self.notes = name, read, notes
        kinds: dict[str, set[str]] = {}
        nested: dict[str, int] = {}
        for number, record in enumerate(read(), start=1):
            for column, value in record.items():
                kinds.setdefault(column, set()).add(_kind(value))
                if isinstance(value, list | dict):
                    nested.setdefault(column, number)
        if not kinds:
            raise DataError(f"{name} has no rows: expected rows with a text and a label. {remedy}")
        self.nested: Mapping[str, int] = nested
        self._schema = pa.schema(
            [(column, self._type(column, found - {"null"})) for column, found in kinds.items()]
        )
        self.columns = tuple(self._schema.names)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in their order, BATCH_ROWS a batch; a field that a row does not have is null."""
        records = self._read()
        while batch := list(islice(records, BATCH_ROWS)):
            columns = [
                pa.array([_cell(row.get(f.name), f.type) for row in batch], f.type) for f in self._schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _type(self, column: str, kinds: set[str]) -> pa.DataType:
        if "bytes" in kinds:
            if kinds != {"bytes"}:
                raise DataError(
                    f"{self._name}: column {column!r} mixes text and binary values: expected one kind. Correct it."
                )
            return pa.binary()
        if kinds == {"bool"}:
            return pa.bool_()
        if kinds == {"int"}:
            return pa.int64()
        return pa.float64() if kinds and kinds <= {"int", "float"} else pa.string()


def json_table(path: Path, reading: Reading = uncapped) -> RecordTable:
    """JSON lines: one object a line. Raises DataError naming the first line that is not one."""
    encoding = detect_encoding(path, reading)

    def read() -> Iterator[Record]:
        with open_text(path, encoding, reading) as text:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield _object(path, number, line)

    return RecordTable(path.name, read, "Give another file.", (encoding.note,) if encoding.note else ())


def sqlite_table(path: Path, table: str, reading: Reading = uncapped) -> RecordTable:
    """A table of a SQLite file."""
    columns = sqlite_columns(path, table)

    def read() -> Iterator[Record]:
        return (dict(zip(columns, row, strict=True)) for row in sqlite_records(path, table, reading))

    remedy = f"Give one table of the file, as FILE::TABLE ({path.name}::NAME), or fill this one."
    return RecordTable(f"{path.name}::{table}", read, remedy)


def _object(path: Path, number: int, line: str) -> Record:
    try:
        value = json.loads(line)
    except RecursionError:
        raise DataError(
            f"{path.name}, line {number} has lists or objects in each other, too deep to be read: expected one JSON object "
            f"a line: {line[:60]!r}. Correct the line."
        ) from None
    except ValueError as error:
        array = (
            " A file that is one JSON array becomes lines by: jq -c '.[]'."
            if number == 1 and line.lstrip()[:1] == "["
            else ""
        )
        raise DataError(
            f"{path.name}, line {number}: {error}: {line[:60]!r}. Expected one JSON object a line.{array}"
        ) from None
    if not isinstance(value, dict):
        array = " Turn the array into lines by: jq -c '.[]'." if isinstance(value, list) else ""
        raise DataError(
            f"{path.name}, line {number} is a {type(value).__name__}: expected one JSON object a line.{array}"
        )
    try:
        # The only way for a surrogate without its pair to come through; Arrow could not hold it.
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{path.name}, line {number} has half of a character (an unpaired \\ud...). Correct the line."
        ) from None
    return value


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, int) and not isinstance(value, bool) and not -LARGEST <= value < LARGEST:
        return "str"
    return type(value).__name__


def _cell(value: object, kind: pa.DataType) -> object:
    if value is None or kind != pa.string() or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
