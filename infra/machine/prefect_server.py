"""Prefect's server for the length of one command, where none is set and `infra.cli up` does not run.

Prefect would start one by itself, but imports the whole server into the flow's own process first (4 s), and only then
waits for it. This one boots while MLflow is imported.
"""

import atexit
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import prefect
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

from infra.machine import ends_with_parent
from infra.machine.environment import server_environment
from infra.machine.processes import LOOPBACK, end_processes, last_error, start_process
from infra.machine.services import Server, await_ready, log_file
from infra.settings import Settings

# What Prefect gives its own temporary server: no UI, and settings that do not change under it.
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


@contextmanager
def temporary_server(settings: Settings, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Flows called inside have a server; `meanwhile` runs while it boots.

    Raises ServiceError with the end of the server's log when it does not start.
    """
    if PREFECT_API_URL.value() or not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        yield
        return
    server = _server(_free_port())
    log = log_file(settings, server.name)
    bound = (sys.executable, "-S", str(ends_with_parent.__file__), str(os.getpid()), *server.command)
    process = start_process(log, bound, environment=server_environment() | ENVIRONMENT)
    # Not on the way out of this block: Prefect sends the last events and log lines when the process ends.
    atexit.register(_stop, process.pid, log)
    meanwhile()
    await_ready(server, log, process)
    with temporary_settings({PREFECT_API_URL: server.health.removesuffix("/health")}):
        yield


def _stop(pid: int, log: Path) -> None:
    end_processes([pid])
    if last_error(log) is None:
        log.unlink(missing_ok=True)


def _server(port: int) -> Server:
    command = (
        sys.executable, "-m", "uvicorn", "--app-dir", str(Path(str(prefect.__file__)).parent), "--factory",
        "prefect.server.api.server:create_app", "--host", LOOPBACK, "--port", str(port),
        "--log-level", "error", "--lifespan", "on",
    )  # fmt: skip
    return Server(
        f"prefect-{port}", port, "STILLHOUSE_PREFECT_PORT", f"http://{LOOPBACK}:{port}/api/health", command
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])
