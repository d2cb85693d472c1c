"""Extract: rows with a text and a label, from SQL over tables or from your own table, kept as parquet.

Domain imports are inside the functions: a cached run never pays for DuckDB and Arrow.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.markup import escape

from infra.artifact import DatasetRef, Pending, SourceRef
from infra.errors import ConfigError, DataError
from infra.run import current_run
from infra.settings import get_settings
from infra.stage import ActionRun, Metrics, StageRun, action, stage
from tasks.extract.config import ExtractConfig
from tasks.extract.values import RECORD_FILE, ExtractPlan, ExtractRecord

if TYPE_CHECKING:
    from infra.warehouse.protocol import Query, Warehouse
    from tasks.extract.query import AskedQuery
    from tasks.extract.source import SourceTables


@action(dry_run=True)
def pin_sources(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """Digest the tables of an extraction, so that a changed table is a changed input."""
    from tasks.extract.source import pin

    if not config.table:
        return _public_tables(run, config)
    sources = pin(config.table)
    return SourceRef(uri=sources.uri, digest=sources.digest)


def _public_tables(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """The public data set that the query names. It is made the first time, which a dry run leaves undone and says."""
    from infra.warehouse.public_data import public_data
    from tasks.extract.query import load_query
    from tasks.extract.source import pin

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
    sources = pin((found.folder(),))
    return SourceRef(uri=sources.uri, digest=sources.digest)


@action(dry_run=True)
def plan_extract(run: ActionRun, config: ExtractConfig, sources: SourceRef) -> ExtractPlan:
    """Rows and bytes of an extraction, before it is run."""
    from tasks.extract.own_table import open_own_table, plan_own_table

    pinned = _pinned(sources)
    if config.query is None:
        return _said(run, plan_own_table(open_own_table(config, pinned)))
    with tempfile.TemporaryDirectory(prefix="plan-") as folder:
        warehouse, query, _, notes = _asked(config, pinned, Path(folder))
        plan = warehouse.dry_run(query)
    return _said(run, ExtractPlan(rows=plan.rows, bytes=plan.bytes, notes=notes))


def _said(run: ActionRun, plan: ExtractPlan) -> ExtractPlan:
    rows = "an unknown number of rows" if plan.rows is None else f"{plan.rows:,} rows"
    run.flow.say(f"  extract would read {plan.bytes / 1e6:,.2f} MB and give {rows}")
    for note in plan.notes:
        run.flow.say(f"  extract: {note}")
    return plan


@stage(version=1, output=DatasetRef)
def extract(run: StageRun, config: ExtractConfig, sources: SourceRef) -> Metrics:
    """Stream the rows into parquet, with a record of where they are from."""
    from tasks.extract.extraction import QueryResult, extract_own_table, extract_query

    pinned = _pinned(sources)
    if config.query is None:
        metrics = extract_own_table(config, pinned, run.output_dir)
    else:
        # Converted tables are no checkpoint: a query that fails leaves none of them behind.
        with tempfile.TemporaryDirectory(dir=run.work_dir) as folder:
            warehouse, query, asked, notes = _asked(config, pinned, Path(folder))
            plan = warehouse.dry_run(query)
            result = QueryResult(
                batches=warehouse.stream(query),
                rows=plan.rows,
                bytes=plan.bytes,
                sql_executed=warehouse.executed_sql(query),
                tables=tuple(table.name for table in warehouse.tables(query)),
                notes=notes,
            )
            metrics = extract_query(config, asked, result, pinned, run.output_dir)
    for note in ExtractRecord.model_validate_json((run.output_dir / RECORD_FILE).read_bytes()).notes:
        current_run().say(f"  extract: {escape(note)}")
    return metrics


def _pinned(ref: SourceRef) -> "SourceTables":
    """The tables of a reference, found again. Raises DataError when they changed since they were pinned."""
    from tasks.extract.source import pin, specs_of

    sources = pin(specs_of(ref.uri))
    if sources.digest != ref.digest:
        raise DataError(
            f"{ref.uri} changed since this run began: expected files that nobody writes to. Run again."
        )
    return sources


def _asked(
    config: ExtractConfig, sources: "SourceTables", folder: Path
) -> "tuple[Warehouse, Query, AskedQuery, tuple[str, ...]]":
    """The warehouse over the tables, and the query for it. What is converted or spilt lies in `folder`."""
    from infra.warehouse.connect import open_warehouse
    from infra.warehouse.protocol import Query
    from tasks.extract.query import load_query
    from tasks.extract.sql_tables import sql_tables

    asked = load_query(config.query or Path(), config.parameters)
    tables, notes = sql_tables(sources, folder / "tables")
    warehouse = open_warehouse(get_settings().warehouse, tables, spill=folder)
    return warehouse, Query(asked.sql, config.max_bytes, asked.parameters, asked.name), asked, notes
