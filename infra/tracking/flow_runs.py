"""Prefect's runs in a home's own database that can go: ended, older than a number of days, and of nothing that stays.

Prefect's server frees neither by the days that are asked for nor past what must stay (its own clean-up knows one age for all
runs, of an hour at least), and its API does not delete events. So this is SQL, as Prefect's own clean-up is, by Python's
sqlite3: a server that runs meanwhile waits for a moment. Other databases, such as a team's PostgreSQL, are let alone.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.settings import Settings

PATIENCE_S = 60.0
AT_ONCE = 200  # runs, and 100 times as many events, in one transaction
ENDED = "state_type IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
# What these tables are asked below: of another version's schema nothing is taken.
KNOWN = {
    "flow_run": ("id", "start_time", "end_time", "state_type"),
    "artifact": ("id", "key", "flow_run_id"),
    "artifact_collection": ("key", "latest_id"),
    "log": ("flow_run_id",),
    "events": ("id", "occurred"),
    "event_resources": ("occurred",),
}
# A collection shows the newest artifact of its key.
COPIED = ("latest_id", "data", "description", "type", "created", "flow_run_id", "task_run_id", "metadata_")


@dataclass(frozen=True)
class OldFlowRuns:
    """Ids of runs that can go, the moment before which events can, how many these are, and about how many bytes all."""

    database: Path
    runs: tuple[str, ...] = ()
    before: str = ""
    events: int = 0
    size: int = 0

    def delete(self) -> bool:
        """Delete the runs with their tasks, states, log lines and artifacts, and the events, for good."""
        with _opened(self.database) as database:
            for start in range(0, len(self.runs), AT_ONCE):
                with database:
                    _delete_runs(database, self.runs[start : start + AT_ONCE])
            for table in ("event_resources", "events"):
                while True:
                    with database:
                        found = database.execute(
                            f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE occurred < ? LIMIT ?)",
                            (self.before, 100 * AT_ONCE),
                        )
                    if found.rowcount == 0:
                        break
            with database:
                _settle_collections(database)
        return True


def prefect_database(settings: Settings) -> Path:
    """The home's own, of `up`'s server and of temporary ones."""
    return settings.home / "prefect" / "prefect.db"


def find_old_flow_runs(
    settings: Settings, keep_days: float, kept_runs: Collection[str], kept_at: Sequence[str]
) -> OldFlowRuns:
    """Those that can go. `kept_runs` are ids of runs that stay; so does one in which something was finished `kept_at`.

    Moments are ISO 8601 with their zone.
    """
    path = prefect_database(settings)
    before = _as_prefect(datetime.now(UTC) - timedelta(days=keep_days))
    kept = sorted(_as_prefect(datetime.fromisoformat(moment)) for moment in kept_at)
    staying = {*kept_runs, *(marker.stem for marker in settings.runs.glob("*.json"))}
    if not path.is_file():
        return OldFlowRuns(path)
    with _opened(path) as database:
        if not _is_known(database):
            return OldFlowRuns(path)
        ended = database.execute(
            f"SELECT id, start_time, end_time FROM flow_run WHERE end_time < ? AND {ENDED}", (before,)
        ).fetchall()
        runs = tuple(
            run
            for run, start, end in ended
            if run not in staying and not any(start <= moment <= end for moment in kept if start)
        )
        (events,) = database.execute("SELECT count(*) FROM events WHERE occurred < ?", (before,)).fetchone()
        return OldFlowRuns(path, runs, before, events, _bytes(database, len(runs), events))


def _delete_runs(database: sqlite3.Connection, runs: Sequence[str]) -> None:
    """Tasks and states go with their run; who was started again meanwhile stays."""
    for run in runs:
        gone = database.execute(f"DELETE FROM flow_run WHERE id = ? AND {ENDED}", (run,))
        if gone.rowcount:
            for table in ("log", "artifact"):
                database.execute(f"DELETE FROM {table} WHERE flow_run_id = ?", (run,))


def _settle_collections(database: sqlite3.Connection) -> None:
    """A collection whose newest artifact went shows the newest that is left, or goes."""
    gone = "latest_id NOT IN (SELECT id FROM artifact)"
    database.execute(
        f"DELETE FROM artifact_collection WHERE {gone} AND key NOT IN (SELECT key FROM artifact WHERE key IS NOT NULL)"
    )
    wanted = ", ".join(column if column != "latest_id" else "id" for column in COPIED)
    database.execute(
        f"UPDATE artifact_collection SET ({', '.join(COPIED)}) = (SELECT {wanted} FROM artifact"
        f" WHERE artifact.key = artifact_collection.key ORDER BY created DESC LIMIT 1) WHERE {gone}"
    )


def _bytes(database: sqlite3.Connection, runs: int, events: int) -> int:
    """About what runs and events take up: their share of the file, by the text of the events and the number of runs."""
    if not runs and not events:
        return 0
    every, every_event = (
        database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("flow_run", "events")
    )
    (used,) = database.execute(
        "SELECT page_size * (page_count - freelist_count)"
        " FROM pragma_page_size, pragma_page_count, pragma_freelist_count"
    ).fetchone()
    return int(used * (0.5 * runs / max(every, 1) + 0.5 * events / max(every_event, 1)))


def _is_known(database: sqlite3.Connection) -> bool:
    def has(table: str, columns: Sequence[str]) -> bool:
        found = database.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return {name for (name,) in found}.issuperset(columns)

    return all(has(table, columns) for table, columns in KNOWN.items())


def _as_prefect(moment: datetime) -> str:
    """As Prefect writes it into SQLite, so that texts compare as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        yield database
