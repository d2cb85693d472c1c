"""What is scheduled runs: `up --worker` as a person starts it, with a schedule of each minute, and every service of
Prefect's server that we count on seen at work once.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from infra.machine.environment import CONSOLE_LEVEL
from infra.machine.login import headers, read_login
from infra.settings import Settings
from tests.security.prefect_up import answered, environment_of, post, running_up
from tests.typed import STILLHOUSE

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3]
FLOW = '''
"""A flow of one task; `pause` is how long it runs, seconds."""
import time

from prefect import flow, task


@task
def tick(pause: float) -> str:
    time.sleep(pause)
    return "tock"


@flow
def clock(pause: float = 0.0) -> str:
    return tick(pause)
'''


@dataclass(frozen=True)
class Up:
    home: Path
    environment: dict[str, str]
    said: str
    http: httpx.Client

    def post(self, path: str, content: dict[str, Any]) -> Any:
        return post(self.http, path, content)

    def get(self, path: str) -> Any:
        return answered(lambda: self.http.get(path))

    def state(self, run: str) -> str:
        return str(self.get(f"flow_runs/{run}")["state"]["name"])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with asked(tmp_path_factory.mktemp("up"), ends_in=60) as found:
        yield found


@contextmanager
def asked(home: Path, ends_in: float, answers_in: float = 30, **more: str) -> Iterator[Up]:
    """`up --worker`, and Prefect's API with its login."""
    with running_up(home, ends_in, **more) as servers:
        login = headers(read_login(Settings(home=home)))
        with httpx.Client(base_url=f"{servers.url}/", headers=login, timeout=answers_in) as http:
            yield Up(home, servers.environment, servers.said, http)


@dataclass(frozen=True)
class Started:
    """Ids of what is under way at once: each of it takes Prefect half a minute, mostly of waiting."""

    each_minute: str  # a deployment
    recorded: str  # runs, from here on
    first: str
    second: str
    late: str


@pytest.fixture(scope="module")
def started(up: Up, tmp_path_factory: pytest.TempPathFactory) -> Started:
    folder = tmp_path_factory.mktemp("project")
    (folder / "clock.py").write_text(FLOW)
    flow = up.post("flows/", {"name": "clock"})["id"]

    def deploy(name: str, **more: Any) -> str:
        asked = {"name": name, "flow_id": flow, "entrypoint": "clock.py:clock", "path": str(folder),
                 "work_pool_name": "stillhouse", "enforce_parameter_schema": False}  # fmt: skip
        return str(up.post("deployments/", asked | more)["id"])

    def run(deployment: str, **more: Any) -> str:
        return str(up.post(f"deployments/{deployment}/create_flow_run", more)["id"])

    cron = {"schedule": {"cron": "* * * * *", "timezone": "Europe/Berlin"}, "active": True}
    alone = deploy("alone", concurrency_limit=1, concurrency_options={"collision_strategy": "ENQUEUE"})
    first = run(alone, parameters={"pause": 600.0})
    up.post("work_pools/", {"name": "nobody", "type": "process"})
    before = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    late = run(deploy("late", work_pool_name="nobody"),
               state={"type": "SCHEDULED", "state_details": {"scheduled_time": before}})  # fmt: skip
    each_minute, recorded = deploy("each-minute", schedules=[cron]), run(deploy("recorded"))
    assert until(lambda: up.state(first) == "Running", 60)
    return Started(each_minute, recorded, first, run(alone), late)


def until(answer: Callable[[], Any], seconds: float) -> Any:
    """What `answer` gives once it gives something; None when that takes longer, an answer that was asked again too."""
    deadline = time.monotonic() + seconds
    while True:
        found = answer()
        if time.monotonic() > deadline:
            return None
        if found:
            return found
        time.sleep(0.5)


def test_a_schedule_of_each_minute_has_a_completed_run_within_90_seconds(up: Up, started: Started) -> None:
    def completed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = up.post("flow_runs/filter", {
            "deployments": {"id": {"any_": [started.each_minute]}},
            "flow_runs": {"state": {"name": {"any_": ["Completed"]}}}})  # fmt: skip
        return [run for run in found if run["auto_scheduled"]]

    assert until(completed, 90)


def test_the_shipped_schedules_have_their_next_runs(up: Up) -> None:
    assert "nightly: next run" in up.said
    doctor = subprocess.run([STILLHOUSE, "doctor"], env=up.environment, cwd=PROJECT,
                            capture_output=True, text=True)  # fmt: skip
    (line,) = (line for line in doctor.stdout.splitlines() if " schedules " in line)
    assert line.startswith("ok")
    assert "next run" in line


def test_tasks_and_events_of_a_run_are_recorded(up: Up, started: Started) -> None:
    """The task run recorder and the event persister: without them the UI shows a run without its tasks."""
    run = started.recorded
    assert until(lambda: up.state(run) == "Completed", 60)
    tasks = {"flow_runs": {"id": {"any_": [run]}}}
    assert until(lambda: [t["state_name"] for t in up.post("task_runs/filter", tasks)] == ["Completed"], 30)
    resource = {"filter": {"related": {"id": [f"prefect.flow-run.{run}"]}, "order": "ASC"}}
    assert until(lambda: up.post("events/filter", resource)["events"], 30)


def test_a_cancelled_run_ends_and_frees_its_slot(up: Up, started: Started) -> None:
    """The worker's cancellation, and the deployment's limit of one, by which a night does not meet the next."""
    assert until(lambda: up.state(started.second) == "AwaitingConcurrencySlot", 60)
    assert up.state(started.first) == "Running"
    up.post(f"flow_runs/{started.first}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    assert until(lambda: up.state(started.first) == "Cancelled", 60)
    assert until(lambda: up.state(started.second) == "Completed", 90)


def test_a_run_that_no_worker_takes_is_marked_late(up: Up, started: Started) -> None:
    assert until(lambda: up.state(started.late) == "Late", 60)


def test_the_worker_is_seen_online(up: Up) -> None:
    """The foreman: a pool without a live worker is shown as not ready."""
    assert until(lambda: up.get("work_pools/stillhouse")["status"] == "READY", 30)


def test_errors_of_the_servers_are_in_their_logs(up: Up, started: Started) -> None:
    """A level that hides errors is how a scheduler died unseen."""
    children = json.loads((up.home / "services.json").read_text())["children"]
    levels = {psutil.Process(child["pid"]).environ()[CONSOLE_LEVEL] for child in children}
    assert levels == {"WARNING"}


def test_a_server_that_cannot_start_says_its_own_last_error(tmp_path: Path) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "prefect.db").write_bytes(b"no database at all\n" * 400)
    command = [STILLHOUSE, "up"]
    done = subprocess.run(
        command, env=environment_of(tmp_path), cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "file is not a database" in done.stderr.rsplit("Its last error:")[-1]
