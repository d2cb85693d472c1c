"""A query put to a warehouse, over the tables that were pinned."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.data.extraction.cap import Cap
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.query import AskedQuery, load_query
from tasks.data.extraction.source import changed, found_again, tables_digest
from tasks.data.extraction.sql_tables import sql_tables
from tasks.data.extraction.warehouse import Warehouse, Warehouses
from tasks.formats.extraction import ExtractPlan, SourceTable, read_attribution
from tasks.formats.kinds import SourceRef


@dataclass(frozen=True)
class Asked:
    """A query, its text as it lies in its file, and the warehouse that runs it over the pinned tables.

    `files` are those by their names in SQL; None where they are the warehouse's own.
    """

    config: ExtractConfig
    sources: SourceRef
    text: AskedQuery
    warehouse: Warehouse
    query: Any
    notes: tuple[str, ...]
    files: Mapping[str, SourceTable] | None = None

    def plan(self) -> ExtractPlan:
        """Rows, bytes and price, before it is run."""
        plan = self.warehouse.dry_run(self.query)
        return ExtractPlan(rows=plan.rows, bytes=plan.bytes, usd=plan.usd, notes=self.notes)

    def read(self) -> list[tuple[str, SourceTable]]:
        """Tables that the query reads, by their names in SQL. Raises DataError when they are not the pinned ones.

        Asked again when a warehouse's job has ended, it proves that the job read what was pinned.
        """
        if self.files is not None:
            return [(table.name, self.files[table.name]) for table in self.warehouse.tables(self.query)]
        tables = _read_by(self.config, self.warehouse, self.query)
        if tables_digest(tables) != self.sources.digest:
            raise changed(self.sources)
        return [(table.name.rsplit(".", 1)[1], table) for table in tables]


def ask(config: ExtractConfig, sources: SourceRef, warehouses: Warehouses, folder: Path) -> Asked:
    """The query over the pinned tables. What is converted or spilt lies in `folder`.

    Raises DataError when they changed since they were pinned, and what `load_query` and `sql_tables` raise.
    """
    text = _text(config)
    if warehouses.own:
        warehouse, query = warehouses.open(text)
        notes = tuple(_noticed(config, text, warehouses.own, warehouses.is_ordered(query)))
        asked = Asked(config, sources, text, warehouse, query, notes)
        asked.read()
        return asked
    pinned = found_again(config.query, sources)
    tables, notes = sql_tables(pinned, folder / "tables", Cap(config.max_bytes))
    warehouse, query = warehouses.open(text, tables, folder)
    described = zip((file.sql_name for file in pinned.files), pinned.described, strict=True)
    return Asked(config, sources, text, warehouse, query, notes, dict(described))


def pin_own_tables(config: ExtractConfig, warehouses: Warehouses) -> SourceRef:
    """A warehouse's own tables that the query reads, and their digest."""
    tables = _read_by(config, *warehouses.open(_text(config)))
    names = ",".join(table.name for table in tables)
    return SourceRef(uri=f"{warehouses.own}#{names}", digest=tables_digest(tables))


def _text(config: ExtractConfig) -> AskedQuery:
    return load_query(config.query or Path(), config.parameters)


def _read_by(config: ExtractConfig, warehouse: Warehouse, query: Any) -> list[SourceTable]:
    """A warehouse's own tables that a query reads, with the attribution that lies beside the query."""
    known = read_attribution(config.query.parent) if config.query is not None else None
    said = known.model_dump() if known else {}
    return [
        SourceTable(name=table.name, digest=table.digest, bytes=table.bytes, snapshot=table.snapshot, **said)
        for table in warehouse.tables(query)
    ]


def _noticed(config: ExtractConfig, text: AskedQuery, own: str, ordered: bool) -> Iterator[str]:
    if config.table:
        yield f"the tables are those of {own}: --extract.table was not read"
    if not ordered:
        yield (
            f"{text.name} has no ORDER BY: BigQuery gives the rows in any order, so another run of it may give "
            "another artifact; order by something unique"
        )
