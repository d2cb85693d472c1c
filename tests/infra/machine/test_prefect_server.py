"""Prefect's server for one command: used where none is set, gone when the process ends."""

import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from infra.errors import ServiceError
from infra.machine.prefect_server import temporary_server
from infra.machine.processes import LOOPBACK
from infra.settings import Settings
from tests.fakes.serving import serving

FLOW = """
import sys
from infra.machine import environment
environment.prepare()
from prefect import flow
from infra.machine.prefect_server import temporary_server
from infra.settings import get_settings

@flow(name="tiny")
def tiny() -> int:
    return 3

with temporary_server(get_settings(), lambda: print("meanwhile")):
    from prefect.settings import PREFECT_API_URL
    print(PREFECT_API_URL.value(), tiny())
print([module for module in sys.modules if module == "prefect.server.api.server"])
"""


@pytest.mark.slow
def test_a_flow_has_a_server_that_ends_with_its_process(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    done = subprocess.run([sys.executable, "-c", FLOW], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    meanwhile, told, imported = done.stdout.splitlines()
    assert meanwhile == "meanwhile"
    url, result = told.split()
    assert url.startswith("http://127.0.0.1:")
    assert result == "3"
    assert imported == "[]"  # the server is another process's business
    port = url.split(":")[2].removesuffix("/api")
    assert not any(
        port in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )
    assert list((tmp_path / "home" / "logs").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.whole_runs)])
def test_a_flow_that_is_killed_leaves_no_server(tmp_path: Path, end: signal.Signals) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment["STILLHOUSE_HOME"] = str(tmp_path / "home")
    waits = FLOW + "print('ready', flush=True)\nimport time\ntime.sleep(600)\n"
    with subprocess.Popen(
        [sys.executable, "-c", waits], env=environment, stdout=subprocess.PIPE, text=True
    ) as flow:
        assert flow.stdout is not None
        assert any(line == "ready\n" for line in flow.stdout)
        (server,) = psutil.Process(flow.pid).children()
        flow.send_signal(end)
    _, alive = psutil.wait_procs([server], timeout=60)
    assert alive == []


def test_a_server_that_is_set_is_used(prefect_server: None, tmp_path: Path) -> None:
    before, called = PREFECT_API_URL.value(), []
    with temporary_server(Settings(home=tmp_path), lambda: called.append(True)):
        assert PREFECT_API_URL.value() == before
    assert called == []
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(("status", "body", "said"), [
    (200, b"<html>a page</html>", "answers /admin/version with something that is no version"),
    (404, b"{}", "answers 404 to /admin/version"),
    (500, b"", "answers 500 to /admin/version"),
])  # fmt: skip
def test_a_server_that_only_looks_like_prefects_is_one_message(
    tmp_path: Path, status: int, body: bytes, said: str
) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            healthy = self.path.endswith("/health")
            self.send_response(200 if healthy else status)
            self.end_headers()
            self.wfile.write(b"true" if healthy else body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer((LOOPBACK, 0), Page)) as address:
        url = f"{address}/api"
        server = temporary_server(Settings(home=tmp_path), lambda: None)
        with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ServiceError) as error, server:
            pass
    assert f"{url}, which {said}: expected Prefect's server" in str(error.value)
