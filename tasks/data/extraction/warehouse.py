"""What an extraction asks of a warehouse: ports, which `infra/warehouse` fills.

A query is passed on as `Warehouses.open` gave it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from tasks.data.extraction.query import AskedQuery


class Plan(Protocol):
    """What a query would give and cost."""

    @property
    def rows(self) -> int | None:
        """None where only a run could tell."""

    @property
    def bytes(self) -> int:
        """Bytes read."""

    @property
    def usd(self) -> float | None:
        """US dollars; None where nothing is paid."""


class Table(Protocol):
    """A table that a query reads."""

    @property
    def name(self) -> str:
        """Its name in the warehouse."""

    @property
    def digest(self) -> str:
        """Another one when the content changes."""

    @property
    def bytes(self) -> int:
        """Uncompressed."""

    @property
    def snapshot(self) -> str | None:
        """Moment since which it is as it was read; None for a file."""


class Execution(Protocol):
    """How a query was run."""

    @property
    def sql(self) -> str:
        """As the warehouse got it."""

    @property
    def job(self) -> str | None:
        """None where there are none."""

    @property
    def bytes_billed(self) -> int | None:
        """None where nothing is paid."""


class Warehouse(Protocol):
    """Runs BigQuery's SQL."""

    def dry_run(self, query: Any) -> Plan:
        """What it would give and cost. Raises CostCapError above the cap."""

    def stream(self, query: Any) -> Iterator[pa.RecordBatch]:
        """Its rows, in constant memory."""

    def tables(self, query: Any) -> Sequence[Table]:
        """What it reads, by name."""

    def execution(self, query: Any) -> Execution:
        """How it is run; after `stream`, also by which job."""


class Warehouses(Protocol):
    """The warehouse that the settings name."""

    @property
    def own(self) -> str | None:
        """Its address, where the tables are its own; None where they are files."""

    def open(
        self, text: AskedQuery, tables: Mapping[str, Path] | None = None, spill: Path | None = None
    ) -> tuple[Warehouse, Any]:
        """The warehouse, over `tables` (name -> parquet file) if it has none, and the query as it takes it."""

    def is_ordered(self, query: Any) -> bool:
        """Whether the query says the order of its rows."""
