"""Prefect's server for the length of one command, where none is set and `infra.cli up` does not run.

Prefect would start one by itself, but imports the whole server into the flow's own process first (4 s), and only then
waits for it. This one boots while MLflow is imported.
"""

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import prefect
from prefect.context import get_settings_context
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    get_current_settings,
    temporary_settings,
)

from infra.errors import ServiceError
from infra.machine import ends_with_parent
from infra.machine.environment import running_services, server_environment
from infra.machine.processes import LOOPBACK, end_processes, last_error, start_process, still_running
from infra.machine.services import Server, await_ready, log_file
from infra.machine.temporary_servers import APPLICATION, MARK
from infra.settings import Settings, without_credentials

ANSWER_SECONDS = 10.0
LOOPBACKS = (LOOPBACK, "localhost", "::1")
# What Prefect gives its own temporary server: no UI, and settings that do not change under it.
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", MARK: "1", "PREFECT__SERVER_FINAL": "1"}


@contextmanager
def temporary_server(settings: Settings, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Flows called inside have a server; `meanwhile` runs while it boots.

    Raises ServiceError with the end of the server's log when it does not start, and when one that is set is silent.
    """
    if url := PREFECT_API_URL.value():
        _refuse_silent(settings, url)
    if url or not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        yield
        return
    server = _server(_free_port())
    log = log_file(settings, server.name)
    bound = (sys.executable, "-S", str(ends_with_parent.__file__), str(os.getpid()), *server.command)
    process = start_process(log, bound, environment=server_environment() | ENVIRONMENT)
    # Not on the way out of this block: Prefect sends the last events and log lines when the process ends.
    atexit.register(_stop, process, log)
    meanwhile()
    await_ready(server, log, process)
    with temporary_settings({PREFECT_API_URL: server.health.removesuffix("/health")}):
        yield


def _refuse_silent(settings: Settings, url: str) -> None:
    """Raises ServiceError for the server of `up`, or of the user's Prefect settings, that does not answer."""
    services = running_services(settings)
    if services is not None and services.prefect_api_url == url:
        named = f"for services.json says that process {services.pid} (`infra.cli up`) runs it"
        remedy = f"`python -m infra.cli down`, then `up` again; its log is {log_file(settings, 'prefect')}."
    elif "PREFECT_API_URL" in os.environ:
        return
    else:
        profile = get_settings_context().profile.name
        named = (
            f"for your Prefect settings name it (profile {profile} of {get_current_settings().profiles_path})"
        )
        remedy = (
            "Start it, or choose another profile: `prefect profile use ephemeral`, or PREFECT_PROFILE=ephemeral for this "
            "command alone, which brings its own server."
        )
    try:
        httpx.get(f"{url}/health", timeout=ANSWER_SECONDS, trust_env=urlsplit(url).hostname not in LOOPBACKS)
    except httpx.TransportError as error:
        raise ServiceError(
            f"Prefect's server at {without_credentials(url)} does not answer ({type(error).__name__}): expected it to, "
            f"{named}. {remedy}"
        ) from None


def _stop(process: subprocess.Popen[bytes], log: Path) -> None:
    end_processes(still_running([process]))
    if last_error(log) is None:
        log.unlink(missing_ok=True)


def _server(port: int) -> Server:
    command = (
        sys.executable, "-m", "uvicorn", "--app-dir", str(Path(str(prefect.__file__)).parent), "--factory",
        APPLICATION, "--host", LOOPBACK, "--port", str(port),
        "--log-level", "error", "--lifespan", "on",
    )  # fmt: skip
    return Server(
        f"prefect-{port}", port, "STILLHOUSE_PREFECT_PORT", f"http://{LOOPBACK}:{port}/api/health", command
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])
