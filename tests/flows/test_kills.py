"""`kill -9` in every stage, one after the other in one home, and at random moments: nothing lost, nothing twice."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType

from infra.settings import Settings
from infra.store import Store
from tests.flows.conftest import Unbroken
from tests.flows.kill_drill import drill, finished, lost, unmeasured
from tests.flows.running import Running, new_home, start
from tests.flows.test_end_to_end import STAGES, tracking

pytestmark = pytest.mark.slow
MISSED = 3  # kills that may come too late, of fifteen: some stages take a few hundredths of a second


@dataclass(frozen=True)
class Killed:
    """A home in which the flow was killed in each stage, the runs that were, and the one that came to its end."""

    home: Path
    runs: list[Running]
    under_way: list[str]
    last: Running


@pytest.fixture(scope="module")
def killed(
    unbroken: Unbroken, tmp_path_factory: pytest.TempPathFactory, tracking_database: Path
) -> Iterator[Killed]:
    home = new_home(tmp_path_factory.mktemp("kills") / "home", tracking_database)
    runs, under_way = [], []
    for stage in dict.fromkeys(STAGES):
        runs.append(start(home, unbroken.tiny.arguments()))
        if runs[-1].kill_in(stage):
            under_way.append(stage)
    last = start(home, unbroken.tiny.arguments())
    last.wait()
    yield Killed(home, runs, under_way, last)


def test_every_stage_was_killed_while_it_was_under_way(killed: Killed) -> None:
    assert len(killed.under_way) >= len(set(STAGES)) - MISSED
    assert {"train_teacher", "distill", "export_onnx", "evaluate", "benchmark"} <= set(killed.under_way)


def test_a_rerun_finds_all_that_was_finished_and_repeats_only_the_killed_stage(killed: Killed) -> None:
    runs = [*killed.runs, killed.last]
    assert lost(runs) == []
    for before, after in itertools.pairwise(runs):
        assert finished(after)[: len(finished(before))] == finished(before)


def test_the_release_after_all_kills_is_that_of_an_unbroken_run(unbroken: Unbroken, killed: Killed) -> None:
    assert killed.last.process.exitcode == 0, killed.last.printed
    expected = [(stage.name, stage.digest[:12]) for stage in unbroken.summary.stages]
    assert unmeasured(finished(killed.last)) == unmeasured(expected)


def test_kills_leave_no_half_artifact_and_no_process_behind(killed: Killed) -> None:
    store = Store(Settings(home=killed.home))
    folders = {path for stage in (killed.home / "artifacts").iterdir() for path in stage.iterdir()}
    assert folders == {store.folder(record.stage, record.key) for record in store.records()}
    for left_over in ("runs", "work"):
        assert list((killed.home / left_over).iterdir()) == []
    assert [process.pid for process in psutil.process_iter() if belongs_to(process, killed.home)] == []


def test_killed_runs_are_not_shown_as_running(killed: Killed) -> None:
    client = tracking(killed.home)
    experiment = client.get_experiment_by_name("stillhouse/end_to_end")
    assert experiment is not None
    statuses = Counter(
        run.info.status
        for run in client.search_runs([experiment.experiment_id], "tags.`prefect.flow_run_id` != ''")
    )
    assert statuses["RUNNING"] == 0
    assert statuses["KILLED"] >= len(killed.under_way)
    running = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))
    with get_client(sync_client=True) as prefect:
        assert prefect.read_flow_runs(flow_run_filter=FlowRunFilter(state=running)) == []


def belongs_to(process: psutil.Process, home: Path) -> bool:
    try:
        return process.environ().get("STILLHOUSE_HOME") == str(home)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def test_kills_at_random_moments_lose_nothing(
    unbroken: Unbroken, tmp_path: Path, tracking_database: Path
) -> None:
    # The benchmark's artifact is given: it has been killed above, and takes longer than all else together.
    home = new_home(tmp_path / "home", tracking_database, unbroken.home, ["benchmark"])
    seconds = sum(stage.seconds for stage in unbroken.summary.stages if stage.name != "benchmark")
    drilled = drill(lambda: start(home, unbroken.tiny.arguments()), 3, seconds / 3, random.Random(20))
    assert drilled.exit_code == 0
    assert drilled.lost == []
    assert drilled.digests == [(stage.name, stage.digest[:12]) for stage in unbroken.summary.stages]
