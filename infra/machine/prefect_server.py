"""Prefect's server for the length of one command, where none is set and `infra.cli up` does not run.

Prefect would start one by itself, but imports the whole server into the flow's own process first (4 s), and only then
waits for it. This one boots while MLflow is imported.
"""

import atexit
import hashlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import prefect
from filelock import FileLock
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings

from infra.errors import ServiceError
from infra.files import disk_errors, write_atomically
from infra.machine import ends_with_parent
from infra.machine.environment import running_services, server_environment
from infra.machine.processes import LOOPBACK, end_processes, last_error, start_process
from infra.machine.services import PREFECT_LOCK, Server, await_ready, log_file
from infra.machine.surroundings import PREFECT_API, api_obstacle
from infra.settings import Settings

# What Prefect gives its own temporary server: no UI, and settings that do not change under it.
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


@contextmanager
def temporary_server(settings: Settings, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Flows called inside have a server; `meanwhile` runs while it boots.

    Raises ServiceError with the end of the server's log when it does not start, or when the one that is set does not
    answer.
    """
    if url := PREFECT_API_URL.value():
        _refuse_silent(settings, url)
        yield
        return
    if not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        yield
        return
    server = _server(_free_port())
    log = log_file(settings, server.name)
    bound = (sys.executable, "-S", str(ends_with_parent.__file__), str(os.getpid()), *server.command)
    with _database_made(settings):
        process = start_process(log, bound, environment=server_environment() | ENVIRONMENT)
        # Not on the way out of this block: Prefect sends the last events and log lines when the process ends.
        atexit.register(_stop, process.pid, log)
        meanwhile()
        await_ready(server, log, process)
    with temporary_settings({PREFECT_API_URL: server.health.removesuffix("/health")}):
        yield


@contextmanager
def _database_made(settings: Settings) -> Iterator[None]:
    """The first server of a home, and of a new version of Prefect, starts alone; the later ones do not wait."""
    made = settings.home / "prefect" / "tables-made-by"
    # Which database it was, without its password.
    database = hashlib.sha256(os.environ.get(DATABASE, "").encode()).hexdigest()
    wanted = f"{prefect.__version__} {database}"
    with ExitStack() as stack:
        if not _says(made, wanted):
            with disk_errors(settings.locks):
                settings.locks.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(settings.locks / PREFECT_LOCK))
        yield
        if not _says(made, wanted):
            with disk_errors(made):
                write_atomically(made, wanted)


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _refuse_silent(settings: Settings, url: str) -> None:
    obstacle = api_obstacle(url)
    if obstacle is None:
        return
    services = running_services(settings)
    if services is not None and services.prefect_api_url == url:
        raise ServiceError(
            f"{obstacle} It is the server of `infra.cli up` (process {services.pid}): end it with `python -m infra.cli "
            "down` and start it again."
        )
    unset = (
        "" if PREFECT_API in os.environ else " It is set in Prefect's own settings: `prefect config view`."
    )
    raise ServiceError(f"{obstacle}{unset}")


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
