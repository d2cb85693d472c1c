"""The warehouse that the settings name."""

from collections.abc import Mapping
from pathlib import Path

from infra.errors import ConfigError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import Warehouse


def open_warehouse(uri: str, tables: Mapping[str, Path], spill: Path | None = None) -> Warehouse:
    """The warehouse of STILLHOUSE_WAREHOUSE (`duckdb` or `duckdb://`) over `tables`: name -> parquet file.

    Raises ConfigError for any other: BigQuery fits behind the same protocol and is not in this version.
    """
    kind = uri.split(":", 1)[0]
    if kind == "bigquery":
        raise ConfigError(
            f"STILLHOUSE_WAREHOUSE={uri}: BigQuery is not in this version, only duckdb. Export the tables as "
            "parquet and give them with --extract.table; the same .sql file runs on them."
        )
    if uri not in ("duckdb", "duckdb:", "duckdb://"):
        raise ConfigError(
            f"STILLHOUSE_WAREHOUSE={uri} is not known: expected duckdb. Correct the setting or leave it out."
        )
    return DuckDBWarehouse(tables, spill)
