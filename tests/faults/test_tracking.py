"""A tracking server that fails for a while, or refuses a value: neither ends tracking, and a release says what it missed.

A real MLflow server, behind a proxy that fails on demand; as our own server (REST) and as any other (MLflow's client).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.machine.processes import start_process
from infra.machine.services import await_ready, servers
from infra.settings import Settings, get_settings
from infra.tracking.tracker import Tracker
from tests.fakes.faulty_proxy import Fault, Proxy, faulty_proxy
from tests.faults.processes import end
from tests.infra.ports import free_ports
from tests.unmeasured import unmeasured

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

OUT = Fault(0, "status", onward=True)
BOTH = pytest.mark.parametrize("way", ["rest", "client"])


@dataclass(frozen=True)
class Served:
    """A real server, its proxy, and a look past the proxy."""

    proxy: Proxy
    client: MlflowClient
    folder: Path

    def tracker(self, way: str, experiment: str) -> Tracker:
        """As a flow has it when the server is our own, or one that the settings name."""
        home = self.folder / f"{way}-{experiment.replace('/', '-')}"
        home.mkdir()
        if way == "client":
            return Tracker(Settings(home=home, mlflow_uri=self.proxy.endpoint), experiment)
        told = {"pid": os.getpid(), "prefect_api_url": "http://127.0.0.1:9/api"}
        (home / "services.json").write_text(json.dumps(told | {"mlflow_tracking_uri": self.proxy.endpoint}))
        return Tracker(Settings(home=home), experiment)

    def points(self, run: str | None, name: str) -> list[float]:
        """What arrived of a metric."""
        return [metric.value for metric in self.client.get_metric_history(str(run), name)]

    def status(self, run: str | None) -> str:
        return str(self.client.get_run(str(run)).info.status)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Iterator[Served]:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(home=folder / "server", mlflow_port=port)
    settings.mlflow_artifacts.mkdir(parents=True)
    settings.mlflow_database.write_bytes(tracking_database.read_bytes())
    server = next(server for server in servers(settings) if server.name == "mlflow")
    log = settings.home / "mlflow.log"
    command = list(server.command)
    command[command.index("--allowed-hosts") + 1] = "*"  # the proxy passes its own name on
    with unmeasured():
        process = start_process(
            log, command, environment=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        )
    try:
        await_ready(server, log, process)
        upstream = f"http://127.0.0.1:{port}"
        with faulty_proxy(upstream) as proxy:
            yield Served(proxy, MlflowClient(upstream), folder)
    finally:
        end(process)


@pytest.fixture(autouse=True)
def quick_and_whole(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow's own retries, which take minutes, are not what is tried here."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    served.proxy.arm(None)
    yield
    served.proxy.arm(None)


def test_one_failed_answer_ends_no_tracking(served: Served) -> None:
    tracker = served.tracker("rest", "faults/one")
    run = tracker.start("train")
    served.proxy.arm(Fault(0, "status"))
    tracker.log(run, [("loss", 2.0, 1)])
    tracker.log(run, [("loss", 1.0, 2)])
    tracker.end(run)
    assert served.points(run, "loss") == [2.0, 1.0]
    assert served.status(run) == "FINISHED"


def test_a_connection_that_is_cut_ends_no_tracking(served: Served) -> None:
    tracker = served.tracker("rest", "faults/cut")
    run = tracker.start("train")
    served.proxy.arm(Fault(0, "cut"))
    tracker.log(run, [("loss", 2.0, 1)])
    tracker.end(run)
    assert served.points(run, "loss") == [2.0]
    assert served.status(run) == "FINISHED"


@BOTH
def test_what_a_run_logs_during_an_outage_arrives_afterwards(
    way: str, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = served.tracker(way, "faults/outage")
    run = tracker.start("train")
    served.proxy.arm(OUT)
    for step in range(5):
        tracker.log(run, [("loss", float(step), step)])
    served.proxy.arm(None)
    tracker.end(run)
    assert sorted(served.points(run, "loss")) == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert served.status(run) == "FINISHED"
    assert caplog.text.count("goes on without tracking") == 1
    assert caplog.text.count("answers again") == 1


def test_the_server_is_asked_again_while_the_run_goes_on(served: Served) -> None:
    tracker = served.tracker("rest", "faults/again")
    run = tracker.start("train")
    served.proxy.arm(OUT)
    tracker.log(run, [("loss", 1.0, 1)])
    served.proxy.arm(None)
    deadline, step = time.monotonic() + 30, 1
    while not served.points(run, "loss") and time.monotonic() < deadline:
        step += 1
        tracker.log(run, [("beat", 1.0, step)])
        time.sleep(0.2)
    assert served.points(run, "loss") == [1.0]


@BOTH
def test_a_name_that_mlflow_refuses_costs_no_other_value(
    way: str, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = served.tracker(way, "faults/refused")
    run = tracker.start("train")
    for step in range(3):
        tracker.log(run, [("loss", 1.0, step), ("setfit+lr", 0.5, step), ("accuracy", 0.9, step)])
    tracker.end(run)
    assert len(served.points(run, "loss")) == len(served.points(run, "accuracy")) == 3
    assert served.status(run) == "FINISHED"
    assert caplog.text.count("MLflow refuses 'setfit+lr'") == 1
    assert "without tracking" not in caplog.text


def test_a_run_that_was_made_though_its_answer_was_lost_is_closed(served: Served) -> None:
    tracker = served.tracker("rest", "faults/lost")
    tracker.end(tracker.start("before"))
    served.proxy.arm(Fault(0, "cut_answer", only="runs/create"))
    run = tracker.start("train")
    tracker.flush()
    tracker.end(run)
    experiment = served.client.get_experiment_by_name("faults/lost")
    found = served.client.search_runs([experiment.experiment_id])
    assert run in {one.info.run_id for one in found}
    assert "RUNNING" not in {one.info.status for one in found}


@BOTH
def test_a_run_that_ended_during_an_outage_is_closed_by_the_next(way: str, served: Served) -> None:
    tracker = served.tracker(way, "faults/ended")
    run = tracker.start("train")
    served.proxy.arm(OUT)
    tracker.end(run, "FAILED")
    served.proxy.arm(None)
    assert served.status(run) == "RUNNING"
    following = Tracker(tracker.settings, "faults/following")
    following.end(following.start("train"))
    assert served.status(run) == "FAILED"


def test_a_release_that_was_not_registered_says_so_and_the_next_run_registers_it(
    served: Served, home: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from tasks.reporting.summary import read_summary
    from tests.tasks.reporting.run import RunConfig, tiny_release

    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", served.proxy.endpoint)
    get_settings.cache_clear()
    served.proxy.arm(Fault(0, "status", onward=True, only="registered-models/create|model-versions/create"))
    record = tiny_release(RunConfig())
    assert record.revision is not None and record.registered_version is None
    said = "could not register the model local-tiny"
    assert said in capsys.readouterr().out.replace("\n", " ")
    assert said in Path(str(read_summary(record).report)).read_text()

    served.proxy.arm(None)
    again = tiny_release(RunConfig())
    assert (again.revision, again.registered_version) == (record.revision, "1")
    champion = served.client.get_model_version_by_alias("local-tiny", "champion")
    assert champion.tags["digest"] == record.package_digest
    assert said not in Path(str(read_summary(again).report)).read_text()


NIGHTLY = '''
"""A flow that says a line, and whose tracking server is out."""
from infra.machine import environment

environment.prepare()  # as every flow of ours does, by what it imports
from infra.engine.run import open_run
from prefect import flow
from pydantic import BaseModel


class Nothing(BaseModel):
    pass


@flow
def nightly() -> None:
    with open_run("nightly", Nothing()) as run:
        run.say("  curated 3 rows")
'''
WORKER = """
import os, sys
from infra.machine.environment import prepare, server_environment

prepare()
os.execve(sys.executable, [sys.executable, "-m", "prefect.engine"], server_environment())
"""


@pytest.mark.slow
def test_our_lines_stand_in_prefects_log_of_a_scheduled_run(
    home: Path, tmp_path: Path, prefect_server: None
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    (tmp_path / "nightly.py").write_text(NIGHTLY)
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("nightly")
        deployment = client.create_deployment(
            flow, "scheduled", entrypoint="nightly.py:nightly", path=str(tmp_path)
        )
        run = client.create_flow_run_from_deployment(deployment)
        more = {"PREFECT__FLOW_RUN_ID": str(run.id), "STILLHOUSE_MLFLOW_URI": "http://127.0.0.1:9",
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "PYTHONPATH": str(Path.cwd())}  # fmt: skip
        unset = ("PREFECT_LOGGING_EXTRA_LOGGERS", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        place = tmp_path / "worker"  # Prefect copies a deployment's files to where it runs
        place.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", WORKER], env=environment | more, cwd=place, capture_output=True, text=True
        )
        assert client.read_flow_run(run.id).state_name == "Completed", done.stdout + done.stderr
        kept = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    messages = [line.message for line in kept]
    assert [message.strip() for message in messages if "curated" in message] == ["curated 3 rows"]
    assert len([message for message in messages if "goes on without tracking" in message]) == 1
