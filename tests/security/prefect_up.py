"""`stillhouse up --worker` as a person starts it, seen with its login and without; and a page of a stranger's."""

import base64
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.infra.ports import free_ports
from tests.typed import STILLHOUSE

PROJECT = Path(__file__).parents[2]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
PATIENCE = 600.0
LOGIN = "PREFECT_API_AUTH_STRING"


@dataclass(frozen=True)
class Up:
    """The servers and the worker of a home, and what `up` printed, which is no terminal here."""

    home: Path
    environment: dict[str, str]
    said: str

    @property
    def url(self) -> str:
        """Where Prefect's API is."""
        return f"http://127.0.0.1:{self.environment['STILLHOUSE_PREFECT_PORT']}/api"

    @property
    def login(self) -> str:
        """What `stillhouse env` gives a shell to be let in with; empty where it gives nothing."""
        done = subprocess.run([STILLHOUSE, "env"], env=self.environment, cwd=PROJECT,
                              capture_output=True, text=True, check=True)  # fmt: skip
        exports = [
            shlex.split(line)[1].partition("=")
            for line in done.stdout.splitlines()
            if line.startswith("export")
        ]
        return {name: value for name, _, value in exports}.get(LOGIN, "")


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """A user's environment with a home and ports of its own, and nothing of Prefect's or MLflow's."""
    prefect, mlflow, reports = free_ports(3)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    places = {"HOME": home, "PREFECT_PORT": prefect, "MLFLOW_PORT": mlflow, "REPORTS_PORT": reports}
    return clean | {f"STILLHOUSE_{name}": str(value) for name, value in places.items()} | more


@contextmanager
def running_up(home: Path, ends_in: float = 400, **more: str) -> Iterator[Up]:
    """The servers and a worker, from the moment that `up` says they run. After Ctrl-C they end in so many seconds."""
    environment = environment_of(home, **more)
    with subprocess.Popen([STILLHOUSE, "up", "--worker"], env=environment, cwd=PROJECT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # fmt: skip
        said = []
        for line in process.stdout or ():
            said.append(line)
            if "Ctrl-C" in line:
                break
        try:
            assert process.poll() is None, "".join(said)
            yield Up(home, environment, "".join(said))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=ends_in)


@contextmanager
def client(url: str, login: str = "") -> Iterator[httpx.Client]:
    """Requests to Prefect's API, with its login or without one."""
    token = base64.b64encode(login.encode()).decode()
    headers = {"Authorization": f"Basic {token}"} if login else {}
    with httpx.Client(base_url=f"{url}/", headers=headers, timeout=60, trust_env=False) as http:
        yield http


def post(http: httpx.Client, path: str, content: Mapping[str, Any]) -> Any:
    """What the API answers to a POST; see `answered`."""
    return answered(lambda: http.post(path, json=content))


def answered(ask: Callable[[], httpx.Response]) -> Any:
    """What the API answers; asked again, as Prefect's own client does, while its database is busy (503).

    Raises httpx.HTTPStatusError for a refusal.
    """
    deadline = time.monotonic() + PATIENCE
    answer = ask()
    while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
        time.sleep(1)
        answer = ask()
    answer.raise_for_status()
    return answer.json() if answer.content else None


def ended(http: httpx.Client, run: str) -> dict[str, Any]:
    """A flow run once it has ended, or after some minutes."""
    deadline = time.monotonic() + PATIENCE
    asked = {"flow_runs": {"id": {"any_": [run]}}}
    found: dict[str, Any] = post(http, "flow_runs/filter", asked)[0]
    while found["state_type"] not in FINAL and time.monotonic() < deadline:
        time.sleep(0.5)
        found = post(http, "flow_runs/filter", asked)[0]
    return found


def allowed_origin(url: str, origin: str) -> str | None:
    """Which origin the API gives leave to a page of `origin`, asked as a browser asks."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type"}  # fmt: skip
    answer = httpx.options(f"{url}/deployments/filter", headers=asked, timeout=60, trust_env=False)
    return answer.headers.get("access-control-allow-origin")


def places_of(secret: str, folder: Path) -> list[str]:
    """Files below a folder that hold a text, or its base64 as a header has it."""
    needles = (secret.encode(), base64.b64encode(secret.encode()))
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    )


def in_a_command_line(secret: str) -> list[list[str]]:
    """Processes whose arguments, which every user of the machine may read, hold a text."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(secret in word for word in line)]


@contextmanager
def stranger(page: str) -> Iterator[str]:
    """The address of a server on another port whose one page this is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def browse(url: str, profile: Path) -> str:
    """The page as headless Chromium has it ten seconds (of the page's own clock) after it was opened."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
         "--virtual-time-budget=10000", "--dump-dom", url],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    return done.stdout
