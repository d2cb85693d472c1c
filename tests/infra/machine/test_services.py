"""`stillhouse up` for real: Prefect's and MLflow's servers on ports of their own, as a person runs them."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from infra.engine.abandoned import dead_runs, end_dead_runs, live_runs
from infra.errors import ServiceError
from infra.machine.environment import running_services
from infra.machine.login import headers, read_login
from infra.machine.processes import Child, end_processes, port_is_free
from infra.machine.services import end_orphans, stop_services
from infra.machine.up_lock import left_behind, only_up, up_is_elsewhere
from infra.settings import Settings
from infra.tracking.tracker import Tracker
from tests.infra.ports import free_ports, taken_port
from tests.typed import STILLHOUSE

pytestmark = pytest.mark.slow  # both servers are started as `make up` starts them, and more than once

NO_PROCESS = 2**22 - 1
PROJECT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Running:
    settings: Settings
    environment: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def prefect(self) -> str:
        return f"http://127.0.0.1:{self.settings.prefect_port}/api"

    @property
    def mlflow(self) -> str:
        return f"http://127.0.0.1:{self.settings.mlflow_port}"

    @property
    def login(self) -> str:
        return read_login(self.settings)

    def get(self, path: str) -> Any:
        return httpx.get(f"{self.prefect}/{path}", headers=headers(self.login)).raise_for_status().json()

    def post(self, path: str, content: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self.prefect}/{path}", json=content, headers=headers(self.login))
        return answer.raise_for_status().json()


def environment_of(settings: Settings) -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    places = {
        "HOME": settings.home,
        "PREFECT_PORT": settings.prefect_port,
        "MLFLOW_PORT": settings.mlflow_port,
        "REPORTS_PORT": settings.reports_port,
    }
    return clean | {f"STILLHOUSE_{name}": str(value) for name, value in places.items()}


def cli(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [STILLHOUSE, *arguments]
    return subprocess.run(command, env=environment_of(settings), cwd=PROJECT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    prefect, mlflow, reports = free_ports(3)
    home = tmp_path_factory.mktemp("up")
    settings = Settings(home=home, prefect_port=prefect, mlflow_port=mlflow, reports_port=reports)
    command = [STILLHOUSE, "up"]
    with subprocess.Popen(
        command,
        env=environment_of(settings),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said: list[str] = []
        for line in process.stdout or ():
            said.append(line)
            if "Ctrl-C" in line:
                break
        assert process.poll() is None, "".join(said)
        yield Running(settings, environment_of(settings), process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_both_servers_answer_where_the_file_says(up: Running) -> None:
    services = running_services(up.settings)
    assert services is not None
    assert services.pid == up.process.pid
    assert (services.prefect_api_url, services.mlflow_tracking_uri) == (up.prefect, up.mlflow)
    assert httpx.get(f"{up.prefect}/health").json() is True
    assert httpx.get(f"{up.mlflow}/health").text == "OK"


def test_the_ui_speaks_to_the_port_that_was_chosen(up: Running) -> None:
    settings = httpx.get(up.prefect.removesuffix("/api") + "/ui-settings").json()
    assert settings["api_url"] == up.prefect


def test_mlflow_turns_away_foreign_hosts(up: Running) -> None:
    assert httpx.get(up.mlflow, headers={"Host": "attacker.example"}).status_code == 403


def test_tracking_through_the_server_keeps_files_under_home(up: Running, tmp_path: Path) -> None:
    tracker = Tracker(up.settings, "stillhouse/test")
    assert tracker.uri == up.mlflow
    run = tracker.start("a run")
    assert run is not None
    (tmp_path / "plot.txt").write_text("a plot")
    tracker.log(run, [("loss", 0.5, 1)])
    tracker.log_file(run, tmp_path / "plot.txt")
    tracker.end(run)
    told = httpx.get(f"{up.mlflow}/api/2.0/mlflow/runs/get", params={"run_id": run}).json()["run"]
    assert told["info"]["status"] == "FINISHED"
    assert told["data"]["metrics"][0]["value"] == 0.5
    assert list(up.settings.mlflow_artifacts.rglob("plot.txt"))


def test_a_second_up_is_refused_with_the_addresses(up: Running) -> None:
    second = cli(up.settings, "up")
    assert second.returncode == 2
    assert up.prefect in second.stderr
    assert "Traceback" not in second.stderr


def test_status_doctor_and_env_see_the_servers(up: Running) -> None:
    assert up.mlflow in cli(up.settings, "status").stdout
    assert f"answers 200 at {up.prefect}/health" in cli(up.settings, "doctor").stdout
    exports = cli(up.settings, "env").stdout
    assert f"export PREFECT_API_URL={up.prefect}" in exports
    assert f"export PREFECT_API_AUTH_STRING={shlex.quote(up.login)}" in exports
    assert f"export MLFLOW_TRACKING_URI={up.mlflow}" in exports


def test_the_work_pool_of_the_deployments_is_there(up: Running) -> None:
    pool = up.get("work_pools/stillhouse")
    assert pool["type"] == "process"
    assert pool["base_job_template"]["job_configuration"]


def test_a_killed_run_becomes_crashed_and_a_live_one_stays(up: Running) -> None:
    killed, alive = start_flow_run(up), start_flow_run(up)
    task = start_task_run(up, killed)
    tracked = Tracker(up.settings, "stillhouse/test")
    mlflow_run = tracked.start("killed")
    stage = tracked.start("train", parent=mlflow_run)
    write_marker(up.settings, NO_PROCESS, killed, mlflow_run)
    write_marker(up.settings, os.getpid(), alive, None)
    assert [str(run.flow_run_id) for run in dead_runs(up.settings)] == [killed]

    with temporary_settings({PREFECT_API_URL: up.prefect, PREFECT_API_AUTH_STRING: up.login}):
        assert end_dead_runs(up.settings) == 1
        assert end_dead_runs(up.settings) == 0

    assert up.get(f"flow_runs/{killed}")["state_type"] == "CRASHED"
    assert up.get(f"task_runs/{task}")["state_type"] == "CRASHED"
    assert up.get(f"flow_runs/{alive}")["state_type"] == "RUNNING"
    for run in (mlflow_run, stage):
        told = httpx.get(f"{up.mlflow}/api/2.0/mlflow/runs/get", params={"run_id": run}).json()
        assert told["run"]["info"]["status"] == "KILLED"
    assert [str(run.flow_run_id) for run in live_runs(up.settings)] == [alive]


def test_a_killed_run_that_prefect_no_longer_knows_is_only_forgotten(up: Running) -> None:
    write_marker(up.settings, NO_PROCESS, str(uuid4()), None)
    with temporary_settings({PREFECT_API_URL: up.prefect, PREFECT_API_AUTH_STRING: up.login}):
        assert end_dead_runs(up.settings) == 1
    assert dead_runs(up.settings) == []


def test_down_ends_everything_and_leaves_no_file(up: Running) -> None:
    family = psutil.Process(up.process.pid).children(recursive=True)
    assert len(family) >= 2
    done = cli(up.settings, "down")
    assert done.returncode == 0, done.stderr
    assert up.process.wait(timeout=30) == 0
    assert not any(process.is_running() for process in family)
    assert not up.settings.services_file.exists()
    assert port_is_free(up.settings.prefect_port)
    assert "Nothing was running" in cli(up.settings, "down").stdout


def test_a_taken_port_is_refused_by_name_before_anything_starts(tmp_path: Path) -> None:
    with taken_port() as port:
        done = cli(Settings(home=tmp_path, mlflow_port=port, prefect_port=free_ports(1)[0]), "up")
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "STILLHOUSE_MLFLOW_PORT" in done.stderr
    assert not (tmp_path / "logs").exists()


def test_servers_left_by_a_killed_up_are_ended(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with sleeper() as orphan, sleeper() as stranger:
        recycled = Child(pid=stranger.pid, started=0.0)
        write_services(settings, NO_PROCESS, [Child.of(orphan.pid), recycled])
        assert stop_services(settings)
        assert orphan.poll() is not None
        assert stranger.poll() is None
        stranger.kill()
    assert not settings.services_file.exists()
    assert not stop_services(settings)


def test_the_servers_of_a_live_up_are_no_orphans(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with sleeper() as child:
        write_services(settings, os.getpid(), [Child.of(child.pid)])
        assert end_orphans(settings) == 0
        assert child.poll() is None
        child.kill()


def test_a_killed_process_is_dead_before_its_parent_has_looked() -> None:
    with sleeper() as process:
        child = Child.of(process.pid)
        assert child.lives()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # It has ended, and stays listed.
        assert not child.lives()


def test_a_process_that_ignores_the_request_is_made_to_end(tmp_path: Path) -> None:
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    deaf = f"{ignore}; print(1, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end_processes([Child.of(process.pid), Child(pid=NO_PROCESS, started=0.0)], patience=0.5)
        assert process.poll() is not None


def test_a_marker_that_cannot_be_read_is_no_run(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.runs.mkdir()
    (settings.runs / "broken.json").write_text("{")
    assert live_runs(settings) == []
    assert not list(settings.runs.iterdir())


def test_a_second_up_is_refused_while_the_first_has_written_no_file_yet(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    refused = pytest.raises(ServiceError, match="about to start its servers")
    with only_up(settings), refused, only_up(settings):
        pass
    with only_up(settings):  # The first is gone.
        assert up_is_elsewhere(settings)
        assert str(left_behind(settings)).startswith("`up` of")
        with pytest.raises(ServiceError, match="out of reach from here"):
            stop_services(settings)
    assert left_behind(settings) is None


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def write_services(settings: Settings, pid: int, children: list[Child]) -> None:
    content = {"pid": pid, "prefect_api_url": "http://x/api", "mlflow_tracking_uri": "http://x"}
    settings.services_file.write_text(
        json.dumps(content | {"children": [child.model_dump() for child in children]})
    )


def write_marker(
    settings: Settings,
    pid: int,
    flow_run_id: str,
    mlflow_run_id: str | None,
) -> None:
    started = psutil.Process(pid).create_time() if psutil.pid_exists(pid) else time.time()
    marker = {"pid": pid, "pid_started": started, "host": socket.gethostname(), "flow": "test", "flow_run_id": flow_run_id,
              "mlflow_run_id": mlflow_run_id}  # fmt: skip
    settings.runs.mkdir(exist_ok=True)
    (settings.runs / f"{flow_run_id}.json").write_text(json.dumps(marker))


def start_flow_run(up: Running) -> str:
    flow = up.post("flows/", {"name": "test"})["id"]
    state = {"type": "RUNNING", "name": "Running"}
    return str(up.post("flow_runs/", {"flow_id": flow, "state": state})["id"])


def start_task_run(up: Running, flow_run: str) -> str:
    state = {"type": "RUNNING", "name": "Running"}
    task = {"flow_run_id": flow_run, "task_key": "train", "dynamic_key": "0", "name": "train", "state": state}
    return str(up.post("task_runs/", task)["id"])
