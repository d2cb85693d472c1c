"""Whoever reaches Prefect's port, another user or a web page, is not let in; who has the home's login is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.security.prefect_up import (
    CHROMIUM,
    LOGIN,
    PROJECT,
    Up,
    allowed_origin,
    answered,
    browse,
    client,
    ended,
    environment_of,
    in_a_command_line,
    places_of,
    post,
    running_up,
    stranger,
)

pytestmark = pytest.mark.slow  # Prefect's server is started as `up` and as a flow start it

LOGIN_FILE = "prefect/login"
# fmt: off
NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima", "mike",
         "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray", "yankee",
         "zulu"]
# fmt: on
# Words enough that no two are near duplicates.
ROWS = [
    f"where did {name} send my {NAMES[place - step]} {NAMES[place - 9]},order\n"
    f"{NAMES[place - 5]} owes money for {name} and {NAMES[place - step - 3]},refund\n"
    for step in (1, 2)
    for place, name in enumerate(NAMES)
]
CLOCK = """
from prefect import flow, task

@task
def tick() -> str:
    return "tock"

@flow
def clock() -> str:
    return tick()
"""
# A run of a flow with a server of its own, which goes on when it is told to.
ALONE = """
from infra.machine import environment
environment.prepare()
from prefect import flow, get_run_logger
from infra.machine.prefect_server import temporary_server
from infra.settings import get_settings

@flow(name="alone")
def alone() -> str:
    get_run_logger().warning("under way")
    return "done"

with temporary_server(get_settings(), lambda: None):
    from prefect.settings import PREFECT_API_URL
    print(PREFECT_API_URL.value(), flush=True)
    input()
    print(alone(), flush=True)
"""
# What a page can do: ask for JSON with JSON. It tells what came of it in its text.
PAGE = """<!doctype html><title>page</title><p id="told">waiting</p><script>
fetch("%(url)s/deployments/%(deployment)s/create_flow_run", {
  method: "POST", headers: {"Content-Type": "application/json"},
  body: JSON.stringify({name: "from-a-page", job_variables: {command: "touch %(marker)s"}})
}).then(answer => { document.getElementById("told").textContent = "answered " + answer.status },
        error => { document.getElementById("told").textContent = "refused" })
</script>"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("up")) as found:
        yield found


@pytest.fixture(scope="module")
def deployment(up: Up, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a deployment of a tiny flow, which the worker runs."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "clock.py").write_text(CLOCK)
    with client(up.url, up.login) as http:
        flow = post(http, "flows/", {"name": "clock"})["id"]
        asked = {"name": "clock", "flow_id": flow, "entrypoint": "clock.py:clock", "path": str(folder),
                 "work_pool_name": "stillhouse"}  # fmt: skip
        return str(post(http, "deployments/", asked)["id"])


def test_a_request_without_the_login_is_turned_away(up: Up) -> None:
    with client(up.url) as http:
        assert http.get("health").status_code == 200
        assert http.post("deployments/filter", json={}).status_code == 401
        foreign = {"Host": "rebind.evil.example"}
        assert http.post("deployments/filter", json={}, headers=foreign).status_code == 401
    with client(up.url, "wrong") as http:
        assert http.post("deployments/filter", json={}).status_code == 401
    with client(up.url, up.login) as http:
        assert "nightly" in [one["name"] for one in post(http, "deployments/filter", {})]


def test_a_foreign_origin_gets_no_leave_to_ask(up: Up) -> None:
    port = up.environment["STILLHOUSE_PREFECT_PORT"]
    for own in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        assert allowed_origin(up.url, own) == own
    for foreign in ("https://evil.example", "http://localhost:18081", "null"):
        assert allowed_origin(up.url, foreign) is None


def test_a_foreign_page_cannot_start_a_run(up: Up, deployment: str, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium, to open a foreign page in a real browser")
    marker = tmp_path / "marker"
    page = PAGE % {"url": up.url, "deployment": deployment, "marker": marker}
    with stranger(page) as address:
        told = browse(address, tmp_path / "profile")
    assert '<p id="told">refused</p>' in told
    with client(up.url, up.login) as http:
        assert post(http, "flow_runs/filter", {"flow_runs": {"name": {"any_": ["from-a-page"]}}}) == []
    assert not marker.exists()


def test_a_flow_a_worker_s_run_and_a_form_end_completed_and_the_login_stands_in_one_file_alone(
    up: Up, deployment: str, tmp_path: Path
) -> None:
    login = up.login
    assert len(login) >= 32
    table = tmp_path / "rows.csv"
    table.write_text("text,label\n" + "".join(ROWS))
    with client(up.url, login) as http:
        clock = post(http, f"deployments/{deployment}/create_flow_run", {})["id"]
        data = answered(lambda: http.get("deployments/name/data/data"))["id"]
        # What the browser sends for the form with this one field filled in.
        filled = {"parameters": {"config": {"extract": {"table": [str(table)]}}}}
        form = post(http, f"deployments/{data}/create_flow_run", filled)["id"]
        assert [ended(http, run)["state"]["type"] for run in (clock, form)] == ["COMPLETED", "COMPLETED"]
        typed = [
            sys.executable,
            "-m",
            "flows.data",
            "--extract.table",
            str(table),
            "--dataset.redact",
            "false",
        ]
        done = subprocess.run(typed, env=up.environment, cwd=PROJECT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        runs = post(http, "flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
        assert len(runs) == 3
        parameters = json.dumps(runs)
    assert in_a_command_line(login) == []
    assert places_of(login, up.home) == [LOGIN_FILE]
    assert (up.home / LOGIN_FILE).stat().st_mode & 0o777 == 0o600
    assert login not in up.said + done.stdout + done.stderr + parameters
    assert str(up.home / LOGIN_FILE) in up.said


def test_a_wrong_login_is_one_message_with_the_remedy(up: Up, tmp_path: Path) -> None:
    """A home of its own, and the address of another home's server."""
    asked = environment_of(tmp_path / "home", PREFECT_API_URL=up.url, **{LOGIN: "wrong"})
    command = [sys.executable, "-m", "flows.data", "--extract.table", str(tmp_path / "rows.csv")]
    done = subprocess.run(command, env=asked, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "does not let this process in" in done.stderr
    assert "stillhouse env" in done.stderr and "Traceback" not in done.stderr


def test_the_temporary_server_of_a_flow_has_a_login_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with subprocess.Popen([sys.executable, "-c", ALONE], env=environment_of(home), cwd=PROJECT, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with client(url) as http:
            asked = http.post("flow_runs/filter", json={}).status_code
        origin = allowed_origin(url, "https://evil.example")
        (server,) = psutil.Process(process.pid).children()
        login = server.environ().get("PREFECT_SERVER_API_AUTH_STRING", "")
        listed = in_a_command_line(login) if login else []
        told, wrong = process.communicate("go\n", timeout=300)
    assert (asked, origin) == (401, None)
    assert told.strip() == "done", wrong
    assert login not in told + wrong and listed == []
    assert places_of(login, home) == [LOGIN_FILE]


def test_a_login_of_the_users_own_server_is_not_replaced(up: Up, tmp_path: Path) -> None:
    """PREFECT_API_URL names it: here the server of another home, with that home's login, as a shell may have both."""
    asked = environment_of(tmp_path / "home", PREFECT_API_URL=up.url, **{LOGIN: up.login})
    script = ALONE.replace("input()", "")
    done = subprocess.run(
        [sys.executable, "-c", script], env=asked, cwd=PROJECT, capture_output=True, text=True
    )
    assert done.stdout.split() == [up.url, "done"], done.stderr
    assert not (tmp_path / "home" / LOGIN_FILE).exists()
    assert up.login
