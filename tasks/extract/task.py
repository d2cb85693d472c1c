"""Extract: rows with a text and a label, from SQL over tables or from your own table, kept as parquet.

Domain imports are inside the functions: a cached run never pays for DuckDB and Arrow.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from infra.engine.action import ActionRun, action
from infra.engine.run import current_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError, DataError
from infra.settings import get_settings
from infra.store.references import DatasetRef, Pending, SourceRef
from infra.warehouse.place import is_bigquery
from tasks.extract.config import ExtractConfig
from tasks.extract.section import RECORD, extract_section
from tasks.extract.values import PROVENANCE_FILE, ExtractPlan, Provenance, SourceTable

if TYPE_CHECKING:
    from infra.warehouse.protocol import Query, Warehouse
    from tasks.extract.query import AskedQuery
    from tasks.extract.source import SourceTables


@action(dry_run=True)
def pin_sources(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """Digest the tables of an extraction, so that a changed table is a changed input."""
    from tasks.extract.source import tables_digest

    if _in_warehouse(config):
        warehouse, query, _ = _asked_of_warehouse(config, {})
        tables = _read_by(warehouse, query, config)
        names = ",".join(table.name for table in tables)
        return SourceRef(uri=f"{run.settings.warehouse}#{names}", digest=tables_digest(tables))
    if not config.table:
        return _public_tables(run, config)
    return _pinned(run, config, config.table)


def _public_tables(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """The public data set that the query names. It is made the first time, which a dry run leaves undone and says."""
    from infra.warehouse.public_data import public_data
    from tasks.extract.query import load_query

    asked = load_query(config.query, config.parameters) if config.query else None
    found = public_data(asked.sql, run.settings.warehouse_folder) if asked else None
    if found is None:
        raise ConfigError(
            "no table was given: expected files with rows. Give --extract.table FILE, and --extract.query for SQL."
        )
    if not found.made:
        run.flow.say(f"  {'would make' if run.flow.options.dry_run else 'making'} {found.describe()}")
        if run.flow.options.dry_run:
            return cast(SourceRef, Pending(name=run.name, kind="action"))
    if not run.flow.options.dry_run:
        run.flow.keys.hold(found.place.name)  # Tables that a run under way reads are not freed.
    return _pinned(run, config, (found.folder(),))


def _pinned(run: ActionRun, config: ExtractConfig, tables: tuple[Path, ...]) -> SourceRef:
    from tasks.extract.source import pin

    sources = pin(tables, config.query)
    ref = SourceRef(uri=sources.uri, digest=sources.digest)
    return run.pin(ref, lambda: pin(tables, config.query).digest)


@action(dry_run=True)
def plan_extract(run: ActionRun, config: ExtractConfig, sources: SourceRef) -> ExtractPlan:
    """Rows, bytes and price of an extraction, before it is run."""
    from tasks.extract.own_table import open_own_table, plan_own_table

    if config.query is None:
        return _said(run, plan_own_table(open_own_table(config, _pinned_files(config, sources))))
    with tempfile.TemporaryDirectory(prefix="plan-") as folder:
        asked = _asked(config, sources, Path(folder))
        plan = asked.warehouse.dry_run(asked.query)
    return _said(run, ExtractPlan(rows=plan.rows, bytes=plan.bytes, usd=plan.usd, notes=asked.notes))


def _said(run: ActionRun, plan: ExtractPlan) -> ExtractPlan:
    rows = "an unknown number of rows" if plan.rows is None else f"{plan.rows:,} rows"
    run.flow.say(f"  extract would read {_cost(plan.bytes, plan.usd)} and give {rows}")
    for note in plan.notes:
        run.flow.say(f"  extract: {note}")
    return plan


def _cost(size: int, usd: float | None) -> str:
    """Bytes and price, as a person reads them."""
    read = f"{size / 1e9:,.1f} GB" if size >= 10e9 else f"{size / 1e6:,.2f} MB"
    price = "" if usd is None else f" for ${usd:,.2f}" if usd >= 0.01 else " for less than $0.01"
    return read + price


@stage(version=2, output=DatasetRef, section=extract_section, reads=(RECORD,))
def extract(run: StageRun, config: ExtractConfig, sources: SourceRef) -> Metrics:
    """Stream the rows into parquet, with a record of where they are from."""
    from tasks.extract.extraction import QueryResult, extract_own_table, extract_query

    if config.query is None:
        metrics = extract_own_table(config, _pinned_files(config, sources), run.output_dir)
    else:
        # Converted tables are no checkpoint: a query that fails leaves none of them behind.
        with tempfile.TemporaryDirectory(dir=run.work_dir) as folder:
            asked = _asked(config, sources, Path(folder), run)
            plan = asked.warehouse.dry_run(asked.query)
            if plan.usd is not None:
                current_run().say(f"  extract reads {_cost(plan.bytes, plan.usd)}, which is paid once")
            batches = asked.warehouse.stream(asked.query)
            tables, execution = asked.read(), asked.warehouse.execution(asked.query)
            provenance = Provenance(
                sql_executed=execution.sql,
                job=execution.job,
                bytes=plan.bytes,
                bytes_billed=execution.bytes_billed,
                sources=tuple(table for _, table in tables),
                notes=asked.notes,
            )
            result = QueryResult(batches, plan.rows, tuple(name for name, _ in tables), provenance)
            metrics = extract_query(config, asked.text, result, run.output_dir)
    for note in Provenance.model_validate_json((run.output_dir / PROVENANCE_FILE).read_bytes()).notes:
        current_run().say(f"  extract: {note}")
    return metrics


@dataclass(frozen=True)
class _Asked:
    """A query, its text as it lies in its file, and the warehouse that runs it over the pinned tables."""

    config: ExtractConfig
    sources: SourceRef
    warehouse: "Warehouse"
    query: "Query"
    text: "AskedQuery"
    notes: tuple[str, ...]
    files: Mapping[str, SourceTable] | None = None

    def read(self) -> list[tuple[str, SourceTable]]:
        """Tables that the query reads, by their names in SQL. Raises DataError when they are not the pinned ones.

        Asked again when a warehouse's job has ended, it proves that the job read what was pinned.
        """
        if self.files is not None:
            return [(table.name, self.files[table.name]) for table in self.warehouse.tables(self.query)]
        from tasks.extract.source import tables_digest

        tables = _read_by(self.warehouse, self.query, self.config)
        if tables_digest(tables) != self.sources.digest:
            raise _changed(self.sources)
        return [(table.name.rsplit(".", 1)[1], table) for table in tables]


def _in_warehouse(config: ExtractConfig) -> bool:
    """Whether the tables lie in a warehouse of their own. An own table without a query is a file on any."""
    return config.query is not None and is_bigquery(get_settings().warehouse)


def _asked(config: ExtractConfig, sources: SourceRef, folder: Path, run: StageRun | None = None) -> _Asked:
    """The query over the pinned tables. What is converted or spilt lies in `folder`; a run's key is paid for once, and
    what of it was exported and fetched outlives a kill."""
    key, kept = (run.key, run.work_dir) if run else (None, None)
    if _in_warehouse(config):
        warehouse, query, text = _asked_of_warehouse(config, {}, kept, key)
        asked = _Asked(config, sources, warehouse, query, text, tuple(_noticed(config, query)))
        asked.read()
        return asked
    from tasks.extract.cap import Cap
    from tasks.extract.sql_tables import sql_tables

    pinned = _pinned_files(config, sources)
    tables, notes = sql_tables(pinned, folder / "tables", Cap(config.max_bytes))
    warehouse, query, text = _asked_of_warehouse(config, tables, folder, key)
    described = zip((file.sql_name for file in pinned.files), pinned.described, strict=True)
    return _Asked(config, sources, warehouse, query, text, notes, dict(described))


def _noticed(config: ExtractConfig, query: "Query") -> Iterator[str]:
    from infra.warehouse.dialect import is_ordered

    if config.table:
        yield f"the tables are those of {get_settings().warehouse}: --extract.table was not read"
    if not is_ordered(query):
        yield (
            f"{query.name} has no ORDER BY: BigQuery gives the rows in any order, so another run of it may give "
            "another artifact; order by something unique"
        )


def _asked_of_warehouse(
    config: ExtractConfig, tables: Mapping[str, Path], spill: Path | None = None, key: str | None = None
) -> "tuple[Warehouse, Query, AskedQuery]":
    from infra.warehouse.connect import open_warehouse
    from infra.warehouse.protocol import Query
    from tasks.extract.query import load_query

    text, run = load_query(config.query or Path(), config.parameters), current_run()
    labels = {"flow": run.name, "run": run.flow_run_id or "none", "recipe": Path(text.name).stem}
    query = Query(text.sql, config.max_bytes, text.parameters, text.name, key, labels)
    return open_warehouse(get_settings(), tables, spill), query, text


def _read_by(warehouse: "Warehouse", query: "Query", config: ExtractConfig) -> list[SourceTable]:
    """A warehouse's own tables that a query reads, with the attribution that lies beside the query."""
    from tasks.extract.values import read_attribution

    known = read_attribution(config.query.parent) if config.query is not None else None
    said = known.model_dump() if known else {}
    return [
        SourceTable(name=table.name, digest=table.digest, bytes=table.bytes, snapshot=table.snapshot, **said)
        for table in warehouse.tables(query)
    ]


def _pinned_files(config: ExtractConfig, ref: SourceRef) -> "SourceTables":
    """The files of a reference, found again. Raises DataError when they changed since they were pinned."""
    from tasks.extract.source import pin, specs_of

    sources = pin(specs_of(ref.uri), config.query)
    if sources.digest != ref.digest:
        raise _changed(ref)
    return sources


def _changed(ref: SourceRef) -> DataError:
    return DataError(
        f"{ref.uri} changed since this run began: expected tables that nobody writes to. Run again."
    )
