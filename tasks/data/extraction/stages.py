"""Extract: rows with a text and a label, from SQL over tables or from your own table, kept as parquet.

Domain imports are inside the functions: a cached run never pays for DuckDB and Arrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from infra.engine.action import ActionRun, action
from infra.engine.run import current_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError
from infra.settings import get_settings
from infra.store.references import Pending
from infra.warehouse.place import is_bigquery
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.section import RECORD, extract_section
from tasks.formats.extraction import ExtractPlan
from tasks.formats.kinds import DatasetRef, SourceRef

if TYPE_CHECKING:
    from infra.warehouse.protocol import Query, Warehouse
    from tasks.data.extraction.query import AskedQuery


@action(dry_run=True)
def pin_sources(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """Digest the tables of an extraction, so that a changed table is a changed input."""
    warehouses = _Warehouses(config)
    if warehouses.own:
        from tasks.data.extraction.asked import pin_own_tables

        return pin_own_tables(config, warehouses)
    if not config.table:
        return _public_tables(run, config)
    return _pinned(run, config, config.table)


def _public_tables(run: ActionRun, config: ExtractConfig) -> SourceRef:
    """The public data set that the query names. It is made the first time, which a dry run leaves undone and says."""
    from infra.warehouse.public_data import public_data
    from tasks.data.extraction.query import load_query

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
    from tasks.data.extraction.source import pin

    sources = pin(tables, config.query)
    ref = SourceRef(uri=sources.uri, digest=sources.digest)
    return run.pin(ref, lambda: pin(tables, config.query).digest)


@action(dry_run=True)
def plan_extract(run: ActionRun, config: ExtractConfig, sources: SourceRef) -> ExtractPlan:
    """Rows, bytes and price of an extraction, before it is run."""
    from tasks.data.extraction.extraction import plan_rows

    return plan_rows(config, sources, _Warehouses(config), lambda line: run.flow.say(f"  {line}"))


@stage(version=2, output=DatasetRef, section=extract_section, reads=(RECORD,))
def extract(run: StageRun, config: ExtractConfig, sources: SourceRef) -> Metrics:
    """Stream the rows into parquet, with a record of where they are from."""
    from tasks.data.extraction.extraction import extract_rows

    return extract_rows(config, sources, _Warehouses(config, run), run.work_dir, run.output_dir, run.say)


@dataclass(frozen=True)
class _Warehouses:
    """The warehouse of the settings, as a port of the science.

    A run's key is paid for once, and what a warehouse of its own exported and fetched for it outlives a kill.
    """

    config: ExtractConfig
    run: StageRun | None = None

    @property
    def own(self) -> str | None:
        """Its address, where the tables are its own. (An own table without a query is a file on any.)"""
        uri = get_settings().warehouse
        return uri if self.config.query is not None and is_bigquery(uri) else None

    def open(
        self, text: "AskedQuery", tables: Mapping[str, Path] | None = None, spill: Path | None = None
    ) -> "tuple[Warehouse, Query]":
        """See the port."""
        from infra.warehouse.connect import open_warehouse
        from infra.warehouse.protocol import Query

        flow, (key, kept) = current_run(), (self.run.key, self.run.work_dir) if self.run else (None, None)
        labels = {"flow": flow.name, "run": flow.flow_run_id or "none", "recipe": Path(text.name).stem}
        query = Query(text.sql, self.config.max_bytes, text.parameters, text.name, key, labels)
        return open_warehouse(get_settings(), tables, spill or kept), query

    def is_ordered(self, query: "Query") -> bool:
        """See the port."""
        from infra.warehouse.dialect import is_ordered

        return is_ordered(query)
