"""Bytes and rows that cached runs leave in a home with servers of its own, and what `gc` leaves of those."""

import shutil
from pathlib import Path

import pytest

from infra.hub.local import LocalHub
from infra.settings import Settings
from infra.store.artifacts import Store
from tests.benchmarks.tracking_rows import Left, look, run

# A process with Prefect's temporary server for each run.
pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]

CHAIN = "tests.faults.tiny_flow"


@pytest.fixture
def published(tmp_path: Path, tracking_database: Path) -> tuple[Path, Left]:
    """A home in which a run made a data set that is published, and what it has since."""
    home = tmp_path / "home"
    (home / "mlflow").mkdir(parents=True)
    shutil.copy(tracking_database, home / "mlflow" / "mlflow.db")
    run(home, [CHAIN, "--word", "published"])
    store = Store(Settings(home=home))
    (record,) = store.records("repeat")
    LocalHub(store.settings.hub_folder).push(
        "dataset", "me/words", store.folder("repeat", record.key), "words"
    )
    return home, look(home)


def test_cached_runs_leave_little_and_gc_takes_it_back(published: tuple[Path, Left]) -> None:
    home, before = published
    run(home, [CHAIN, "--word", "published"])
    added = look(home).since(before)
    assert added.rows["mlflow.runs"] == 1
    assert added.rows["mlflow.metrics"] == 0
    assert added.rows["mlflow.params"] == 1
    assert added.rows["mlflow.tags"] <= 40
    assert added.rows["prefect.flow_run"] == 1
    assert added.rows["prefect.task_run"] == 3
    assert added.rows["prefect.events"] == added.rows["prefect.event_resources"] == 0
    assert added.bytes < 100_000
    run(home, [CHAIN, "--word", "dropped"])
    run(home, ["stillhouse", "artifacts", "gc", "--keep-days", "0"])
    after = look(home)
    # What is left is what the first run made, and how it came to be.
    assert after.rows == before.rows
    assert after.bytes < 1.1 * before.bytes
    assert (home / "prefect" / "prefect.db").stat().st_size <= before.sizes["prefect/prefect.db"]
