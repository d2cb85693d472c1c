"""Addresses in the database of a home that lies elsewhere now: which are rewritten, and which are nobody's business."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.tracking.moved_home import take_over


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "new home")
    settings.mlflow_database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(settings.mlflow_database)) as database, database:
        database.execute("CREATE TABLE experiments (artifact_location TEXT)")
        database.execute("CREATE TABLE runs (artifact_uri TEXT)")
    return settings


def rewritten(settings: Settings, location: str, address: str) -> str:
    """An address of a run, after the home was taken over whose experiment lies at `location`."""
    with closing(sqlite3.connect(settings.mlflow_database)) as database:
        with database:
            database.execute("INSERT INTO experiments VALUES (?)", (location,))
            database.execute("INSERT INTO runs VALUES (?)", (address,))
        take_over(settings)
        (found,) = database.execute("SELECT artifact_uri FROM runs").fetchone()
    return str(found)


@pytest.mark.parametrize("experiment", ["", "/3"])
@pytest.mark.parametrize("old", ["file:///old%20home/mlflow/artifacts", "/old home/mlflow/artifacts"])
def test_an_address_under_the_old_home_is_the_same_one_under_the_new(
    settings: Settings, old: str, experiment: str
) -> None:
    found = rewritten(settings, old + experiment, f"{old}{experiment}/run/artifacts")
    assert found == f"{settings.mlflow_artifacts.as_uri()}{experiment}/run/artifacts"


@pytest.mark.parametrize(
    "address", ["s3://bucket/mlflow/artifacts/run", "file:///old/mlflow/artifacts-2/run"]
)
def test_an_address_elsewhere_stays(settings: Settings, address: str) -> None:
    assert rewritten(settings, "file:///old/mlflow/artifacts", address) == address


def test_nothing_is_written_where_nothing_moved(settings: Settings) -> None:
    here = settings.mlflow_artifacts.as_uri()
    rewritten(settings, here, f"{here}/run")
    before = settings.mlflow_database.stat().st_mtime_ns
    take_over(settings)
    assert settings.mlflow_database.stat().st_mtime_ns == before


def test_a_home_without_a_database_or_without_tables_is_left_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    take_over(settings)
    assert not settings.home.exists()
    settings.mlflow_database.parent.mkdir(parents=True)
    settings.mlflow_database.touch()
    take_over(settings)
    assert settings.mlflow_database.stat().st_size == 0
