"""The two databases of a home give the room of deleted rows back to the disk, once nobody uses them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from infra.catalog.garbage import Garbage
from infra.files import file_lock
from infra.machine.environment import running_services
from infra.machine.held import is_held
from infra.machine.services import PREFECT_LOCK
from infra.settings import Settings
from infra.tracking.flow_runs import prefect_database

DATABASES = "databases"
WHY = "room of rows that were deleted"


def spare_room(settings: Settings, rows_go: bool) -> Iterator[Garbage]:
    """The databases that have some already, or are going to have some when `rows_go`."""
    for path, lock in (
        (settings.mlflow_database, "mlflow.lock"),
        (prefect_database(settings), PREFECT_LOCK),
    ):
        if path.is_file() and ((size := _spare(path)) or rows_go):
            yield Garbage(path, size, WHY, DATABASES, partial(_compact, settings, path, lock))


def _spare(path: Path) -> int:
    """Bytes of free pages."""
    with closing(sqlite3.connect(path)) as database:
        free = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"
        return int(database.execute(free).fetchone()[0])


def _compact(settings: Settings, path: Path, lock: str) -> bool:
    """Write a database anew, without its holes; False while servers or runs use it, or another program does."""
    if running_services(settings) is not None or any(map(_is_under_way, settings.runs.glob("*.json"))):
        return False
    with (
        file_lock(settings.locks / lock),
        closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as database,
    ):
        try:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            return False
    return True


def _is_under_way(marker: Path) -> bool:
    try:
        return is_held(marker)
    except FileNotFoundError:
        return False  # It has just ended.
