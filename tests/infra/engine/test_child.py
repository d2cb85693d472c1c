"""Stages in processes of their own: the same artifact, errors as they were raised, and no process left, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from infra.engine.run import StageOutcome
from infra.errors import ConfigError, DataError, StageFailed
from infra.machine.processes import LOOPBACK
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.locks import keys_in_use
from infra.store.record import Record
from tests.infra.engine.learning import Learnt, learning
from tests.infra.engine.stages import CHECKPOINT, LearnConfig, learn_words

PATIENCE = 120.0


@pytest.fixture(autouse=True)
def ready(tracked_home: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, Prefect's real server, and stages in processes of their own."""
    monkeypatch.setenv("STILLHOUSE_STAGE_PROCESSES", "true")
    get_settings.cache_clear()


def record_of(learnt: Learnt) -> Record:
    record = Store(get_settings()).record_of(learnt.ref)
    assert record is not None
    return record


def no_child_is_left() -> bool:
    children = psutil.Process().children(recursive=True)
    return not any("infra.engine.child" in " ".join(child.cmdline()) for child in children)


def test_it_imports_neither_prefect_nor_mlflow(tmp_path: Path) -> None:
    record = record_of(learning(LearnConfig(marks=str(tmp_path))))
    assert record.launch is not None and record.launch.launcher == "local"
    (pid,) = record.launch.pids
    modules = (tmp_path / f"modules-{pid}").read_text().splitlines()
    assert pid != os.getpid() and "infra" in modules
    assert not {"prefect", "mlflow"} & set(modules)


def test_the_artifact_is_that_of_the_flows_own_process(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    apart = learning(LearnConfig())
    monkeypatch.setenv("STILLHOUSE_STAGE_PROCESSES", "false")
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "other"))
    get_settings.cache_clear()
    here = learning(LearnConfig())
    assert here.ref == apart.ref and here.outcomes[1].state == "computed"
    assert record_of(here).launch is None


def test_its_metrics_reach_mlflow_and_the_artifact_and_its_words_the_terminal(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    learnt = learning(LearnConfig(steps=4))
    record = record_of(learnt)
    assert record.metrics == {"learnt": 4.0}
    client = MlflowClient(f"sqlite:///{get_settings().mlflow_database}")
    points = client.get_metric_history(str(record.mlflow_run_id), "learnt")
    assert sorted((point.step, point.value) for point in points) == [(0, 1), (0, 4), (1, 2), (2, 3), (3, 4)]
    kept = (Store(get_settings()).path(learnt.ref) / "metrics.jsonl").read_text().splitlines()
    assert kept[0] == '{"step": 0, "learnt": 1.0}' and len(kept) == 4
    said = capfd.readouterr().err
    assert "a library's words" in said and "goes on from 0" in said
    assert not list(home.glob("work/*"))


def test_an_error_of_ours_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^found nothing to learn: expected words\. Give some\.$"):
        learning(LearnConfig(meets="data", marks=str(tmp_path)))


def test_any_other_error_is_named_and_its_trace_is_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        StageFailed, match="learn_words failed in its process with RuntimeError: a library's fault"
    ):
        learning(LearnConfig(meets="defect", marks=str(tmp_path)))
    assert "in _defect" in capfd.readouterr().err


def test_one_that_is_killed_is_said_with_its_last_words_and_goes_on_from_its_checkpoint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = LearnConfig(meets="kill", steps=5, marks=str(tmp_path))
    with pytest.raises(StageFailed, match=r"ended by SIGKILL.*run again.*last words:\na library's words"):
        learning(config)
    assert keys_in_use(get_settings().locks) == set()
    again = learning(config)
    assert [outcome.state for outcome in again.outcomes] == ["cached", "computed"]
    assert "goes on from 2" in capfd.readouterr().err


def test_memory_that_ran_out_is_said_with_the_remedy(tmp_path: Path) -> None:
    config = LearnConfig(meets="memory", marks=str(tmp_path))
    with pytest.raises(StageFailed, match=r"ran out of memory.*GiB of this machine's.*smaller batches"):
        learning(config)
    assert learning(config).outcomes[1].state == "computed"


def test_a_config_that_json_does_not_keep_is_refused() -> None:
    class Mixed(LearnConfig):
        anything: object = None

    with pytest.raises(ConfigError, match=r"no canonical form|not the same after it was written as JSON"):
        learning(Mixed(anything=(1, 2)))


def test_a_stage_that_no_other_process_can_import_is_refused_with_the_remedy() -> None:
    from infra.engine.stage import stage_at

    assert stage_at(learn_words.place, "a").title == "learn_words: a"
    for place in ("__main__:gone", "tests.infra.engine.stages:CHECKPOINT", "no.such.module:x"):
        with pytest.raises(ConfigError, match=r"STILLHOUSE_STAGE_PROCESSES=false|is a str"):
            stage_at(place, "gone")


@pytest.fixture
def waiting(
    home: Path, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], psutil.Process, LearnConfig]]:
    """A flow in a process of its own, whose stage waits in a child after two steps."""
    config = LearnConfig(meets="wait", steps=5, marks=str(tmp_path))
    command = [sys.executable, "-m", "tests.infra.engine.learning", config.model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as flow:
        met, until = tmp_path / "met", time.monotonic() + PATIENCE
        while not (met.is_file() and met.read_text()):
            assert flow.poll() is None and time.monotonic() < until, flow.stderr and flow.stderr.read()
            time.sleep(0.05)
        yield flow, psutil.Process(int(met.read_text())), config
        flow.kill()


@pytest.mark.slow
def test_when_the_flow_is_killed_its_child_ends_too_and_the_next_run_goes_on(
    waiting: tuple[subprocess.Popen[str], psutil.Process, LearnConfig], home: Path
) -> None:
    flow, child, config = waiting
    flow.kill()
    flow.wait()
    _, alive = psutil.wait_procs([child], timeout=5)
    assert alive == []
    (kept,) = home.glob(f"work/*/{CHECKPOINT}")
    assert kept.read_text() == "wo"
    again = learning(config)
    assert [outcome.state for outcome in again.outcomes] == ["cached", "computed"]
    assert (Store(get_settings()).path(again.ref) / "learnt.txt").read_text() == "words"


@pytest.mark.slow
def test_while_a_child_outlives_its_flow_nobody_enters_its_key(
    waiting: tuple[subprocess.Popen[str], psutil.Process, LearnConfig], home: Path
) -> None:
    flow, child, _ = waiting
    (key,) = {path.name for path in home.glob("work/*")}
    child.suspend()  # It cannot even be told to end.
    flow.kill()
    flow.wait()
    if child.is_running() and child.status() == psutil.STATUS_STOPPED:
        assert key in keys_in_use(get_settings().locks)
    child.kill()
    psutil.wait_procs([child], timeout=PATIENCE)
    assert keys_in_use(get_settings().locks) == set()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_flow_that_is_asked_to_end_ends_its_child_and_keeps_the_checkpoint(
    waiting: tuple[subprocess.Popen[str], psutil.Process, LearnConfig], home: Path, end: signal.Signals
) -> None:
    flow, child, _ = waiting
    flow.send_signal(end)
    _, alive = psutil.wait_procs([child], timeout=10)
    assert alive == []
    assert flow.wait(PATIENCE) != 0
    assert [kept.read_text() for kept in home.glob(f"work/*/{CHECKPOINT}")] == ["wo"]
    assert keys_in_use(get_settings().locks) == set()


@pytest.mark.slow
def test_torchrun_starts_as_many_as_are_asked_for_and_one_writes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = learning(LearnConfig())
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("STILLHOUSE_LAUNCHER", "torchrun")
    monkeypatch.setenv("STILLHOUSE_PROCESSES", "2")
    get_settings.cache_clear()
    together = learning(LearnConfig(marks=str(tmp_path)))
    assert together.ref.digest == alone.ref.digest
    record = record_of(together)
    assert record.launch is not None and record.launch.launcher == "torchrun"
    assert len(set(record.launch.pids)) == 2
    assert {path.name for path in tmp_path.glob("modules-*")} == {
        f"modules-{pid}" for pid in record.launch.pids
    }
    assert len((Store(get_settings()).path(together.ref) / "metrics.jsonl").read_text().splitlines()) == 3
    listens = [path.read_text().splitlines() for path in tmp_path.glob("listens-*")]
    assert [set(addresses) for addresses in listens] == [{LOOPBACK}, {LOOPBACK}]
    assert no_child_is_left()


@pytest.mark.slow
def test_an_error_of_one_of_several_processes_is_that_of_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_LAUNCHER", "torchrun")
    monkeypatch.setenv("STILLHOUSE_PROCESSES", "2")
    get_settings.cache_clear()
    with pytest.raises(DataError, match="found nothing to learn"):
        learning(LearnConfig(meets="data", marks=str(tmp_path)))
    assert no_child_is_left()


@pytest.mark.parametrize(("given", "said"), [
    ({"STILLHOUSE_PROCESSES": "2"}, "the launcher local starts one: expected torchrun"),
    ({"STILLHOUSE_LAUNCHER": "torchrun", "STILLHOUSE_STAGE_PROCESSES": "false"}, "STILLHOUSE_STAGE_PROCESSES is false"),
])  # fmt: skip
def test_settings_that_contradict_each_other_stop_a_run_at_once(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    with pytest.raises(ConfigError, match=said):
        learning(LearnConfig())
    assert list(Store(get_settings()).records()) == []


def test_outcomes_name_what_was_computed() -> None:
    outcomes: list[StageOutcome] = learning(LearnConfig()).outcomes
    assert [str(outcome.named) for outcome in outcomes] == ["write_words", "learn_words"]
