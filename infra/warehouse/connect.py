"""The warehouse that the settings name."""

from collections.abc import Mapping
from pathlib import Path

from infra.errors import ConfigError
from infra.settings import Settings
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.place import is_bigquery, read_place
from infra.warehouse.protocol import Warehouse


def open_warehouse(
    settings: Settings, tables: Mapping[str, Path] | None = None, spill: Path | None = None
) -> Warehouse:
    """The warehouse of STILLHOUSE_WAREHOUSE: `duckdb` over `tables` (name -> parquet file), or BigQuery over its own.

    What does not fit into memory lies in `spill`: give BigQuery a folder that outlives a kill.
    Raises ConfigError for any other.
    """
    uri = settings.warehouse
    if is_bigquery(uri):
        return _bigquery(settings, spill)
    if uri not in ("duckdb", "duckdb:", "duckdb://"):
        raise ConfigError(
            f"STILLHOUSE_WAREHOUSE={uri} is not known: expected duckdb, or bigquery://PROJECT/DATASET?location=EU. "
            "Correct the setting or leave it out."
        )
    return DuckDBWarehouse(tables or {}, spill)


def _bigquery(settings: Settings, spill: Path | None) -> Warehouse:
    # Google's libraries take a second to import: only who asks for BigQuery waits for it.
    from infra.warehouse.bigquery import BigQueryWarehouse
    from infra.warehouse.clients import BigQueryClients
    from infra.warehouse.exports import ExportPlace

    clients = BigQueryClients(
        read_place(settings.warehouse),
        settings.bigquery_endpoint,
        settings.bigquery_storage_endpoint,
        named_in=(settings.source_of("bigquery_endpoint"), settings.source_of("bigquery_storage_endpoint")),
    )
    url, over_bytes = settings.bigquery_export, settings.bigquery_export_over_gb * 1e9
    export = ExportPlace(url, over_bytes, spill) if url else None
    return BigQueryWarehouse(clients, settings.bigquery_usd_per_tib, settings.bigquery_read, export=export)
