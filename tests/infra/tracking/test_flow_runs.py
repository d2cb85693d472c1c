"""Prefect's runs that may go, in a copy of the database of Prefect's real server."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.tracking.flow_runs import find_old_flow_runs, prefect_database
from tests.infra.chain import ChainConfig, chain

from prefect import flow, task  # isort: skip
from prefect.artifacts import create_markdown_artifact  # isort: skip
from prefect.context import get_run_context  # isort: skip

TABLES = (
    "flow_run",
    "task_run",
    "task_run_state",
    "flow_run_state",
    "log",
    "artifact",
    "artifact_collection",
)
KEY = "what-a-run-shows"


@task
def shown(text: str) -> None:
    create_markdown_artifact(text, key=KEY)


@flow
def shows(text: str) -> str:
    shown(text)
    return str(get_run_context().flow_run.id)


@pytest.fixture
def settings(prefect_server: None, tracked_home: Path) -> Settings:
    return Settings(home=tracked_home)


def copy_database(settings: Settings, tasks: int) -> sqlite3.Connection:
    """The server's database as this home's own, once it has written what it was told of these many tasks."""
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    path = prefect_database(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    server = PREFECT_API_DATABASE_CONNECTION_URL.value().partition("///")[2]
    deadline = time.monotonic() + 30
    with closing(sqlite3.connect(server)) as source:
        done = "SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'"
        while source.execute(done).fetchone()[0] < tasks and time.monotonic() < deadline:
            time.sleep(0.1)
        copy = sqlite3.connect(path)
        source.backup(copy)
    return copy


@pytest.fixture
def two_runs(settings: Settings) -> Iterator[tuple[sqlite3.Connection, str, str]]:
    """The database, and the ids of two runs, each with a task that makes an artifact of the same key."""
    before = copy_database(settings, 0)
    (tasks,) = before.execute("SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'").fetchone()
    before.close()
    first, second = shows("first"), shows("second")
    with closing(copy_database(settings, tasks + 2)) as database:
        yield database, first, second


def of_run(database: sqlite3.Connection, run: str) -> dict[str, int]:
    """Rows of a run, by table."""
    wanted = {
        "flow_run": "id",
        "task_run": "flow_run_id",
        "flow_run_state": "flow_run_id",
        "artifact": "flow_run_id",
    }
    rows = {
        table: database.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (run,)).fetchone()[0]
        for table, column in wanted.items()
    }
    states = "SELECT count(*) FROM task_run_state WHERE task_run_id IN (SELECT id FROM task_run WHERE flow_run_id = ?)"
    return rows | {"task_run_state": database.execute(states, (run,)).fetchone()[0]}


def test_an_ended_run_goes_with_all_that_is_its_own_and_one_that_is_named_stays(
    settings: Settings, two_runs: tuple[sqlite3.Connection, str, str]
) -> None:
    database, first, second = two_runs
    whole = of_run(database, first)
    assert min(whole.values()) > 0
    old = find_old_flow_runs(settings, 0.0, [first], [])
    assert second in old.runs and first not in old.runs and old.size > 0
    assert old.delete()
    assert set(of_run(database, second).values()) == {0}
    assert of_run(database, first) == whole
    orphans = "SELECT count(*) FROM task_run_state WHERE task_run_id NOT IN (SELECT id FROM task_run)"
    assert database.execute(orphans).fetchone() == (0,)
    # The UI's page of the key shows what is left of it.
    (latest,) = database.execute("SELECT data FROM artifact_collection WHERE key = ?", (KEY,)).fetchall()
    assert latest == ('"first"',)
    assert find_old_flow_runs(settings, 0.0, [], []).delete()
    assert [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES] == [0] * len(
        TABLES
    )


def test_a_run_in_which_something_kept_was_made_stays(
    settings: Settings, two_runs: tuple[sqlite3.Connection, str, str]
) -> None:
    database, first, second = two_runs
    (ended,) = database.execute("SELECT end_time FROM flow_run WHERE id = ?", (first,)).fetchone()
    old = find_old_flow_runs(settings, 0.0, [], [f"{ended.replace(' ', 'T')}+00:00"])
    assert first not in old.runs and second in old.runs


def test_a_run_under_way_and_a_young_one_stay(
    settings: Settings, two_runs: tuple[sqlite3.Connection, str, str]
) -> None:
    database, first, second = two_runs
    assert find_old_flow_runs(settings, 1.0, [], []).runs == ()
    settings.runs.mkdir()
    (settings.runs / f"{first}.json").touch()
    with database:
        database.execute("UPDATE flow_run SET state_type = 'RUNNING' WHERE id = ?", (second,))
    assert not {first, second} & {*find_old_flow_runs(settings, 0.0, [], []).runs}


def test_events_of_before_the_days_go_with_their_resources(settings: Settings) -> None:
    chain(ChainConfig())
    with closing(copy_database(settings, 0)) as database:
        for number, day in enumerate(("2020-01-01", "2999-01-01")):
            moment = f"{day} 00:00:00.000000"
            with database:
                database.execute(
                    "INSERT INTO events (id, occurred, event, resource_id, resource, related, related_resource_ids, payload,"
                    " received, recorded) VALUES (?, ?, 'an.event', 'r', '{}', '[]', '[]', '{}', ?, ?)",
                    (f"event-{number}", moment, moment, moment),
                )
                database.execute(
                    "INSERT INTO event_resources (occurred, resource_id, resource_role, resource, event_id)"
                    " VALUES (?, 'r', '', '{}', ?)",
                    (moment, f"event-{number}"),
                )
        old = find_old_flow_runs(settings, 7.0, [], [])
        assert old.runs == () and old.events == 1
        assert old.delete()
        assert database.execute("SELECT id FROM events WHERE event = 'an.event'").fetchall() == [("event-1",)]
        left = database.execute(
            "SELECT event_id FROM event_resources WHERE event_id LIKE 'event-_'"
        ).fetchall()
        assert left == [("event-1",)]


def test_nothing_is_taken_from_a_schema_that_is_not_known(settings: Settings) -> None:
    chain(ChainConfig())
    with closing(copy_database(settings, 0)) as database, database:
        database.execute("ALTER TABLE log RENAME COLUMN flow_run_id TO run")
    assert find_old_flow_runs(settings, 0.0, [], []).runs == ()


def test_a_home_without_a_database_of_prefect_has_nothing(tmp_path: Path) -> None:
    assert find_old_flow_runs(Settings(home=tmp_path), 0.0, [], []).runs == ()
