"""What a warehouse is to Stillhouse: a place that says what a query costs, and then streams its rows.

The SQL is BigQuery's dialect with named query parameters, whatever runs it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from infra.errors import CostCapError

ParameterValue = str | int | float | bool | tuple[str, ...]
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Query:
    """One SELECT, as it was asked.

    `parameters` are bound (never put into the text): str is STRING, int INT64, float FLOAT64, bool BOOL and a tuple
    ARRAY<STRING>. `max_bytes` is the cap, in bytes read, above which nothing is run. `name` stands in error messages.
    """

    sql: str
    max_bytes: int
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    name: str = "query"


@dataclass(frozen=True)
class QueryPlan:
    """What a query would give and cost: `rows` (None where only a run could tell) and `bytes` read."""

    rows: int | None
    bytes: int


@dataclass(frozen=True)
class TableInfo:
    """A table that a query reads. `digest` changes when the content does; `bytes` are uncompressed."""

    name: str
    digest: str
    bytes: int
    rows: int


class Warehouse(Protocol):
    """Runs BigQuery's SQL. Each method raises WarehouseError for a query that cannot be run, saying where and why."""

    def dry_run(self, query: Query) -> QueryPlan:
        """Rows and bytes of the query. Raises CostCapError above its cap."""
        ...

    def stream(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The query's rows in its order, in constant memory. Raises CostCapError before anything is run."""
        ...

    def tables(self, query: Query) -> list[TableInfo]:
        """The tables that the query reads, by name."""
        ...

    def executed_sql(self, query: Query) -> str:
        """The statement as the warehouse gets it, after translation."""
        ...


def check_cap(query: Query, size: int) -> None:
    """Raise CostCapError when a query that reads `size` bytes is above its own cap."""
    if size > query.max_bytes:
        raise CostCapError(
            f"{query.name} would read {size / GIGABYTE:,.3f} GB ({size:,} bytes): the cap is "
            f"{query.max_bytes:,} bytes, so nothing was run. Select fewer columns or rows, or raise "
            "--extract.max-bytes."
        )
