"""`kill -9` in every stage, one after the other in one home, and at random moments: nothing lost, nothing twice."""

import random
import shutil
import time
from collections import Counter
from functools import partial
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType

from infra.settings import Settings
from infra.store.artifacts import Store
from tests.flows.conftest import Unbroken
from tests.flows.kill_drill import drill, finished, lost, unmeasured
from tests.flows.running import new_home, run, start
from tests.flows.test_end_to_end import STAGES, tracking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TOO_LATE = 3  # kills of fifteen that may come when the stage is done: some take a few hundredths of a second


@pytest.mark.whole_runs
def test_a_kill_in_any_stage_costs_that_stage_only(
    unbroken: Unbroken, tmp_path: Path, tracking_database: Path
) -> None:
    """One long test, for its sixteen runs build on each other."""
    home = new_home(tmp_path / "home", tracking_database)
    begin = partial(start, home, unbroken.tiny.arguments())
    runs, under_way = [], set()
    for stage in dict.fromkeys(STAGES):
        runs.append(begin())
        if runs[-1].kill_in(stage):
            under_way.add(stage)
    runs.append(begin())
    assert runs[-1].wait() == 0, runs[-1].printed

    assert len(under_way) >= len(set(STAGES)) - TOO_LATE
    assert {"train_teacher", "distill", "export_onnx", "evaluate", "benchmark"} <= under_way
    assert lost(runs) == []
    expected = [(stage.name, stage.digest[:12]) for stage in unbroken.summary.stages]
    assert unmeasured(finished(runs[-1])) == unmeasured(expected)
    assert_nothing_is_left_behind(home)
    assert_killed_runs_are_shown_as_killed(home, len(runs) - 1)


@pytest.mark.whole_runs
def test_kills_at_random_moments_lose_nothing(
    unbroken: Unbroken, tmp_path: Path, tracking_database: Path
) -> None:
    # The benchmark's artifact is given: it has been killed above, and takes longer than all else together.
    home = new_home(tmp_path / "home", tracking_database, unbroken.home, ["benchmark"])
    seconds = sum(stage.seconds for stage in unbroken.summary.stages if stage.name != "benchmark")
    drilled = drill(partial(start, home, unbroken.tiny.arguments()), 3, seconds / 3, random.Random(20))
    assert drilled.exit_code == 0
    assert drilled.lost == []
    assert drilled.digests == [(stage.name, stage.digest[:12]) for stage in unbroken.summary.stages]


def test_a_kill_while_mlflow_makes_its_tables_breaks_no_tracking(
    unbroken: Unbroken, copied_home: Path
) -> None:
    shutil.rmtree(copied_home / "mlflow")
    killed = start(copied_home, unbroken.tiny.arguments())
    while not any(file.stat().st_size > 50_000 for file in (copied_home / "mlflow").glob("*.db")):
        assert killed.process.is_alive(), killed.printed
        time.sleep(0.005)
    killed.kill()
    code, printed = run(copied_home, unbroken.tiny.arguments())
    assert code == 0, printed
    assert "goes on without tracking" not in printed
    assert len(tracking(copied_home).search_model_versions("name = 'local-tiny-classifier'")) == 1


def assert_nothing_is_left_behind(home: Path) -> None:
    """No half artifact, no work folder, no mark of a run under way, no process."""
    store = Store(Settings(home=home))
    folders = {path for stage in (home / "artifacts").iterdir() for path in stage.iterdir()}
    assert folders == {store.folder(record.stage, record.key) for record in store.records()}
    for left_over in ("runs", "work"):
        assert list((home / left_over).iterdir()) == []
    assert [process.pid for process in psutil.process_iter() if belongs_to(process, home)] == []


def assert_killed_runs_are_shown_as_killed(home: Path, kills: int) -> None:
    """In MLflow and in Prefect."""
    client = tracking(home)
    experiment = client.get_experiment_by_name("stillhouse/end_to_end")
    assert experiment is not None
    parents = client.search_runs([experiment.experiment_id], "attributes.run_name LIKE 'end_to_end %'")
    assert Counter(run.info.status for run in parents) == {"KILLED": kills, "FINISHED": 1}
    ids = [UUID(run.data.tags["prefect.flow_run_id"]) for run in parents]
    with get_client(sync_client=True) as prefect:
        states = Counter(prefect.read_flow_run(run).state_type for run in ids)
    assert states == {StateType.CRASHED: kills, StateType.COMPLETED: 1}


def belongs_to(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("STILLHOUSE_HOME") == str(home)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
