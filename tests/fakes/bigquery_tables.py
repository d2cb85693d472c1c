"""The tables behind the fake BigQuery: parquet files that queries read, and results as Arrow files read in place."""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import WarehouseError
from infra.warehouse.dialect import parse_select, read_statement
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import Query

JSON = dict[str, object]
PAGE_BYTES = 10_000_000  # a page has no more, whatever number of rows is asked for
_TYPES = {
    "string": "STRING", "int64": "INTEGER", "double": "FLOAT", "bool": "BOOLEAN", "date32[day]": "DATE",
    "timestamp[us]": "DATETIME", "timestamp[us, tz=UTC]": "TIMESTAMP",
}  # fmt: skip


class Refused(Exception):
    """An answer that is an error, as Google's APIs write it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def body(self) -> JSON:
        """What the client gets."""
        wrong = {"reason": self.reason, "message": self.message, "domain": "global"}
        return {"error": {"code": self.status, "message": self.message, "errors": [wrong]}}


@dataclass(frozen=True)
class Plan:
    """What a dry run says."""

    bytes: int
    tables: tuple[str, ...]
    statement: str = "SELECT"


@dataclass(frozen=True)
class ResultTable:
    """Rows that can be read from any one on. `modified` in milliseconds."""

    data: pa.Table
    bytes: int
    modified: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.data.num_rows)

    @property
    def schema(self) -> JSON:
        """As REST writes it."""
        return {"fields": [_field(field) for field in self.data.schema]}

    def described(self) -> JSON:
        """`GET tables/{t}`, without its name."""
        return {
            "kind": "bigquery#table",
            "type": "TABLE",
            "etag": f"{self.modified}",
            "schema": self.schema,
            "numRows": str(self.rows),
            "numBytes": str(self.bytes),
            "creationTime": "1700000000000",
            "lastModifiedTime": str(self.modified),
        }

    def page(self, start: int, most: int | None) -> JSON:
        """`GET tables/{t}/data`: cells as text, and where to go on."""
        most = self.rows if most is None else min(most, self.rows)
        while most > 1 and self.data.slice(start, most).nbytes > PAGE_BYTES:
            most //= 2
        rows = self.data.slice(start, most)
        end = start + rows.num_rows
        columns = [[_cell(value) for value in column.to_pylist()] for column in rows.columns]
        page: JSON = {
            "totalRows": str(self.rows),
            "rows": [{"f": [{"v": value} for value in cells]} for cells in zip(*columns, strict=True)],
        }
        return {**page, "pageToken": str(end)} if end < self.rows else page


class Tables:
    """Files by name, and results of queries by names of their own in `folder`."""

    def __init__(self, files: dict[str, Path], folder: Path) -> None:
        self.files, self._folder = dict(files), folder
        self.results: dict[str, ResultTable] = {}
        self._numbers = count()

    def find(self, name: str) -> ResultTable:
        """A table of either kind. Raises Refused when there is none."""
        if name in self.results:
            return self.results[name]
        if name not in self.files:
            raise Refused(404, "notFound", f"Not found: Table tests:lake.{name} was not found in location EU")
        path = self.files[name]
        data = pq.read_table(path, memory_map=True)
        return ResultTable(data, data.nbytes, path.stat().st_mtime_ns // 1_000_000)

    def plan(self, query: Query) -> Plan:
        """What a query would read. Raises Refused, with BigQuery's way of saying where."""
        try:
            parse_select(query)
        except WarehouseError as error:
            if "expected one SELECT" in str(error):
                return Plan(0, (), str(error).split(" holds ")[1].split(":")[0])
            raise _refusal(error) from None
        try:
            read = read_statement(query, self.files).tables
            return Plan(self._warehouse().dry_run(query).bytes, read)
        except WarehouseError as error:
            raise _refusal(error) from None

    def run(self, query: Query) -> str:
        """Keep a query's rows, a batch at a time, and give their table's name. Raises WarehouseError."""
        name = f"anon{next(self._numbers)}"
        path, writer = self._folder / f"{name}.arrow", None
        for batch in self._warehouse().stream(query):
            plain = pa.RecordBatch.from_arrays(
                [column.cast(_plain(column.type)) for column in batch.columns], batch.schema.names
            )
            writer = writer or pa.ipc.new_file(str(path), plain.schema)
            writer.write_batch(plain)
        if writer is None:
            writer = pa.ipc.new_file(str(path), pa.schema([("text", pa.string())]))
        writer.close()
        data = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        self.results[name] = ResultTable(data, path.stat().st_size, int(time.time() * 1000))
        return name

    def _warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.files, self._folder)


def _plain(kind: pa.DataType) -> pa.DataType:
    """DuckDB's type as the one that BigQuery has for it."""
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_decimal(kind):  # A sum of integers, or a literal with a point.
        return pa.int64() if kind.scale == 0 else pa.float64()
    return pa.float64() if pa.types.is_floating(kind) else kind


def _field(field: pa.Field) -> JSON:
    if pa.types.is_list(field.type):
        return {"name": field.name, "type": _TYPES[str(field.type.value_type)], "mode": "REPEATED"}
    return {"name": field.name, "type": _TYPES[str(field.type)], "mode": "NULLABLE"}


def _cell(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, list):
        return [{"v": _cell(item)} for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return str(int((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000))
    return (
        value.isoformat()
        if isinstance(value, date)
        else repr(value)
        if isinstance(value, float)
        else str(value)
    )


def _refusal(error: WarehouseError) -> Refused:
    """Our own explanation, said as BigQuery says where: `... at [line:column]`."""
    first = str(error).split("\n")[0]
    place, _, what = first.partition(": ")
    line, _, column = place.removeprefix("query, line ").partition(", column ")
    if what.startswith("no table `"):
        return Refused(
            404, "notFound", f"Not found: Table tests:lake.{what.split('`')[1]} was not found in location EU"
        )
    at = f" at [{line}:{column}]" if column else ""
    return Refused(400, "invalidQuery", (what if column else first) + at)
