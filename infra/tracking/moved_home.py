"""A home that was copied or moved: MLflow's database names every folder absolutely, so those of the old place.

Left as they are, a run in a copy writes into the original, and what a moved home has registered cannot be loaded. (MLflow
3.17 knows no address that moves along: `mlflow-artifacts:` needs its server, a relative one follows the working folder.)
Python's own sqlite3 does: importing MLflow takes seconds, and this runs whenever a home is opened.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlparse

from infra.settings import Settings

logger = logging.getLogger(__name__)
# Every column of MLflow's tables in which an address of ours stands.
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
OURS = Path("mlflow", "artifacts")  # under a home: see Settings.mlflow_artifacts
PATIENCE_S = 60.0


def take_over(settings: Settings) -> None:
    """Make the addresses in the home's own database those of the folder in which it lies now, all or none.

    Nothing is written when they are already. The caller holds the lock of the database.
    """
    if not settings.mlflow_database.is_file():
        return
    here = settings.mlflow_artifacts.as_uri()
    with closing(sqlite3.connect(settings.mlflow_database, timeout=PATIENCE_S)) as database:
        if not (elsewhere := _elsewhere(database, here)):
            return
        with database:
            database.execute("BEGIN IMMEDIATE")
            present = _columns(database)
            for there in elsewhere:
                for table, column in ADDRESSES:
                    if (table, column) in present:
                        _rewrite(database, table, column, there, here)
    logger.warning(
        "%s was copied or moved from %s: the addresses in MLflow's database are those of this folder now.",
        settings.home,
        ", ".join(sorted({_home(address) for address in elsewhere})),
    )


def _elsewhere(database: sqlite3.Connection, here: str) -> list[str]:
    """Roots of artifacts, as experiments name them, that are not this home's."""
    if ("experiments", "artifact_location") not in _columns(database):
        return []  # A database without tables yet.
    named = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
    roots = {root for (location,) in named if (root := _root(location))}
    return sorted(roots - {here})


def _root(location: str | None) -> str | None:
    """The root in `<home>/mlflow/artifacts` or `<home>/mlflow/artifacts/<experiment>`; None for an address that is not ours."""
    if location is None:
        return None
    for root in (location, location.rpartition("/")[0]):
        if root.startswith(("file:///", "/")) and Path(_path(root)).parts[-2:] == OURS.parts:
            return root
    return None


def _home(root: str) -> str:
    return str(Path(_path(root)).parents[1])


def _path(address: str) -> str:
    return unquote(urlparse(address).path) if address.startswith("file:") else address


def _columns(database: sqlite3.Connection) -> set[tuple[str, str]]:
    """Table and column of each address that this version of MLflow's schema has."""
    return {
        (table, column)
        for table, column in ADDRESSES
        if database.execute("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", (table, column)).fetchone()
    }


def _rewrite(database: sqlite3.Connection, table: str, column: str, there: str, here: str) -> None:
    """Give every address at or under `there` the same place under `here`."""
    # The names are of ADDRESSES, never from outside.
    database.execute(
        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
        (here, len(there) + 1, there, len(there) + 1, f"{there}/"),
    )
