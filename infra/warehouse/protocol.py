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
BATCH_ROWS = 5_000  # rows of every batch but the last


@dataclass(frozen=True)
class Query:
    """One SELECT, as it was asked.

    `parameters` are bound (never put into the text): str is STRING, int INT64, float FLOAT64, bool BOOL and a tuple
    ARRAY<STRING>. `max_bytes` is the cap, in bytes read, above which nothing is run. `name` stands in error messages.
    `key` names the result: a warehouse that is paid runs one key once, and finds it again after a crash; without one,
    each call runs anew. `labels` mark the job on the bill.
    """

    sql: str
    max_bytes: int
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    name: str = "query"
    key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QueryPlan:
    """What a query would give and cost: `rows` (None where only a run could tell), `bytes` read, and its price in US
    dollars (None where nothing is paid)."""

    rows: int | None
    bytes: int
    usd: float | None = None


@dataclass(frozen=True)
class TableInfo:
    """A table that a query reads. `digest` changes when the content does; `bytes` are uncompressed.

    `snapshot` is the moment since which the content is as it was read (RFC 3339); None for a file.
    """

    name: str
    digest: str
    bytes: int
    rows: int
    snapshot: str | None = None


@dataclass(frozen=True)
class Execution:
    """How a query was run: the statement as the warehouse got it, and the job and what it billed where there is one."""

    sql: str
    job: str | None = None
    bytes_billed: int | None = None


class Warehouse(Protocol):
    """Runs BigQuery's SQL. Each method raises WarehouseError for a query that cannot be run, saying where and why."""

    def dry_run(self, query: Query) -> QueryPlan:
        """Rows and bytes of the query. Raises CostCapError above its cap."""

    def stream(self, query: Query) -> Iterator[pa.RecordBatch]:
        """The query's rows in its order, in constant memory, BATCH_ROWS a batch: the same rows make the same batches,
        whatever runs the query. Raises CostCapError before anything is run.
        """

    def tables(self, query: Query) -> list[TableInfo]:
        """The tables that the query reads, by name."""

    def execution(self, query: Query) -> Execution:
        """How the query is run; after `stream`, also by which job."""


def check_cap(query: Query, size: int) -> None:
    """Raise CostCapError when a query that reads `size` bytes is above its own cap."""
    if size > query.max_bytes:
        raise CostCapError(
            f"{query.name} would read {size / GIGABYTE:,.3f} GB ({size:,} bytes): the cap is "
            f"{query.max_bytes:,} bytes, so nothing was run. Select fewer columns or rows, or raise "
            "--extract.max-bytes."
        )
