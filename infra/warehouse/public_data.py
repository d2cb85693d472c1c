"""Public data sets of BigQuery that the embedded warehouse has too: a query that names one needs no table of yours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from infra.errors import ConfigError
from infra.warehouse.github_repos import build_tables, tables_folder
from infra.warehouse.installed import Installed, installed_distributions

GITHUB_REPOS = "bigquery-public-data.github_repos"


@dataclass(frozen=True)
class PublicData:
    """`github_repos` of an environment, made or not yet."""

    root: Path
    installed: tuple[Installed, ...]

    @property
    def place(self) -> Path:
        """Where the tables are, or would be."""
        return tables_folder(self.root, self.installed)

    @property
    def made(self) -> bool:
        """Whether the tables are there."""
        return self.place.is_dir()

    def folder(self) -> Path:
        """The folder of the tables, which are made where they are not there. Raises StoreError."""
        return build_tables(self.root, self.installed)

    def describe(self) -> str:
        """What it is made of, for a person."""
        files = sum(len(one.files) for one in self.installed)
        return f"{GITHUB_REPOS} of {len(self.installed)} installed distributions, {files:,} files"


def public_data(sql: str, root: Path, search_path: Sequence[str] | None = None) -> PublicData | None:
    """The public data set that a query's tables are in; None when it names no such table.

    `root` is the folder of the warehouse, `search_path` that of the distributions in place of `sys.path`. Raises
    ConfigError for a public data set that is only in BigQuery.
    """
    named = _data_sets(sql)
    if not named:
        return None
    if unknown := sorted(named - {GITHUB_REPOS}):
        raise ConfigError(
            f"the query reads {', '.join(unknown)}: the embedded warehouse only has {GITHUB_REPOS}. Give the tables with "
            "--extract.table, or run on BigQuery (STILLHOUSE_WAREHOUSE=bigquery://PROJECT)."
        )
    return PublicData(root, installed_distributions(search_path))


def _data_sets(sql: str) -> set[str]:
    """`project.data_set` of BigQuery's public tables in a query. A query that cannot be read has none: it is said later."""
    try:
        trees = sqlglot.parse(sql, read="bigquery")
    except SqlglotError:
        return set()
    tables = [table for tree in trees if tree is not None for table in tree.find_all(exp.Table)]
    return {f"{table.catalog}.{table.db}" for table in tables if table.catalog == "bigquery-public-data"}
