"""Prefect's server, MLflow's UI and the reports on 127.0.0.1: children of `stillhouse up`, which watches and ends them."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from infra.errors import ServiceError
from infra.files import disk_errors, file_lock, make_folder, write_atomically
from infra.machine.environment import (
    Services,
    is_of_home,
    leave_users_profile,
    prepare,
    recorded_services,
    running_services,
    server_environment,
)
from infra.machine.login import SERVER_LOGIN, server_login
from infra.machine.processes import (
    LOOPBACK,
    STOP_SECONDS,
    Child,
    end_processes,
    ended,
    port_is_free,
    send,
    start_process,
    still_running,
)
from infra.machine.up_lock import only_up, out_of_reach, up_is_elsewhere
from infra.settings import Settings, without_credentials

START_SECONDS = 120.0
PREFECT_LOCK = "prefect.lock"  # held while a server makes the tables of Prefect's database
# Which files MLflow's server takes for a version of a model. It knows nobody's name, lets anybody choose where experiments lie
# and put files into the home's runs: whatever this let through, any user of the machine could make a champion of code of
# theirs. So none; releases are registered in the database itself (infra/tracking/connection.py).
MLFLOW_SOURCES, NO_SOURCE = "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX", "(?!)"
Processes = Mapping[str, subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Server:
    """One server: how it is started, where it answers when it is ready, and which setting moves its port."""

    name: str
    port: int
    port_setting: str
    health: str
    command: tuple[str, ...]


def servers(settings: Settings) -> tuple[Server, ...]:
    """The servers of this home; MLflow's only where the settings name no other tracking server."""
    tracking = () if settings.mlflow_uri else (_mlflow(settings),)
    return (_prefect(settings.prefect_port), *tracking, _reports(settings.reports_port))


def prefect_api_url(settings: Settings) -> str:
    """Where Prefect's server answers its clients."""
    return f"http://{LOOPBACK}:{settings.prefect_port}/api"


def _prefect(port: int) -> Server:
    command = ("-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port), "--analytics-off")
    health = f"http://{LOOPBACK}:{port}/api/health"
    return Server("prefect", port, "STILLHOUSE_PREFECT_PORT", health, (sys.executable, *command))


def _mlflow(settings: Settings) -> Server:
    port = settings.mlflow_port
    command = (
        sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1",
        "--allowed-hosts", f"{LOOPBACK}:{port},localhost:{port}",
        "--backend-store-uri", f"sqlite:///{settings.mlflow_database}",
        # The clients are on this machine and write the files themselves; the server only shows them.
        "--no-serve-artifacts", "--default-artifact-root", settings.mlflow_artifacts.as_uri(),
    )  # fmt: skip
    return Server("mlflow", port, "STILLHOUSE_MLFLOW_PORT", f"http://{LOOPBACK}:{port}/health", command)


def _reports(port: int) -> Server:
    command = (sys.executable, "-m", "infra.machine.report_server", str(port))
    return Server("reports", port, "STILLHOUSE_REPORTS_PORT", f"http://{LOOPBACK}:{port}/health", command)


def run_services(settings: Settings, ready: Callable[[Services], Processes]) -> None:
    """Start the servers, call `ready` with their addresses, and stay until SIGINT, SIGTERM or a child ends.

    `ready` may start more processes (a worker), which come under the same care. All are ended on the way out,
    whichever way that is. Raises ServiceError when a port is taken, a server does not start, or a process
    ends by itself.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with only_up(settings), _stop_signals() as stop:
        end_orphans(settings)
        try:
            _start(settings, processes, stop)
            if not stop.is_set():
                processes |= ready(_write_file(settings, processes.values()))
                _write_file(settings, processes.values())
            _watch(settings, processes, stop)
        finally:
            end_processes(still_running(processes.values()))
            settings.services_file.unlink(missing_ok=True)


def log_file(settings: Settings, name: str) -> Path:
    """Where the output of a process goes."""
    return settings.home / "logs" / f"{name}.log"


def stop_services(settings: Settings) -> bool:
    """End the `up` of this home, or what a killed one left; False when nothing was running.

    Raises ServiceError when it runs out of reach, belongs to another user or does not end.
    """
    services = running_services(settings)
    up = services.up if services else None
    process = up.process() if up else None
    if up is None or process is None:
        if up_is_elsewhere(settings):
            raise ServiceError(f"{out_of_reach(settings)}. Run `stillhouse down` there.")
        return end_orphans(settings) > 0
    send(process, psutil.Process.terminate)
    deadline = time.monotonic() + 3 * STOP_SECONDS
    while settings.services_file.exists() and up.lives():  # `up` removes it last.
        if time.monotonic() > deadline:
            raise ServiceError(
                f"process {up.pid} (`stillhouse up`) did not end within {3 * STOP_SECONDS:.0f} s. Look at "
                f"{settings.home / 'logs'}, or end it with `kill -9 {up.pid}` and run `down` once more."
            )
        time.sleep(0.1)
    end_orphans(settings)  # None, unless it was killed in the meantime.
    return True


def end_orphans(settings: Settings) -> int:
    """End servers whose `up` was killed, and remove its stale file; returns how many there were.

    Servers of the home that this one was copied from are let be.
    """
    if running_services(settings) is not None:
        return 0
    if (left := recorded_services(settings)) is None:
        return 0
    orphans = [child for child in left.children if child.lives()] if is_of_home(left, settings) else []
    end_processes(orphans)
    settings.services_file.unlink(missing_ok=True)
    return len(orphans)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """SIGINT, SIGTERM and SIGHUP set an event instead of breaking off: the children are ended in order."""
    stop = threading.Event()
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in names}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _start(settings: Settings, processes: dict[str, subprocess.Popen[bytes]], stop: threading.Event) -> None:
    prepare()
    os.environ.pop("PREFECT_API_URL", None)  # A server must not take itself for a client of another one.
    leave_users_profile(os.environ)
    # Its own default knows only port 4200.
    os.environ["PREFECT_SERVER_UI_API_URL"] = prefect_api_url(settings)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # More processes, for features not used here.
    os.environ.setdefault(MLFLOW_SOURCES, NO_SOURCE)
    wanted = servers(settings)
    for server in wanted:
        if not port_is_free(server.port):
            raise ServiceError(
                f"port {server.port} of {LOOPBACK} is taken: expected it free for {server.name}. Stop what "
                f"listens there (`ss -ltnp` names it), or set {server.port_setting} to another port."
            )
    with disk_errors(settings.home):
        for folder in (settings.home / "prefect", settings.mlflow_artifacts, settings.locks):
            make_folder(settings, folder)
    environments = {"prefect": server_environment() | {SERVER_LOGIN: server_login(settings)}}
    # A flow that makes the tracking database or Prefect's in the same moment would break the file for good.
    with file_lock(settings.locks / "mlflow.lock"), file_lock(settings.locks / PREFECT_LOCK):
        for server in wanted:
            processes[server.name] = start_process(
                log_file(settings, server.name),
                server.command,
                environment=environments.get(server.name, server_environment()),
            )
        for server in wanted:
            await_ready(server, log_file(settings, server.name), processes[server.name], stop)


def await_ready(
    server: Server, log: Path, process: subprocess.Popen[bytes], stop: threading.Event | None = None
) -> None:
    """Wait until a server answers, or `stop` is set. Raises ServiceError when it ends, or stays silent."""
    stop, deadline = stop or threading.Event(), time.monotonic() + START_SECONDS
    while not stop.wait(0.1):
        if process.poll() is not None:
            raise ended(server.name, log, process)
        if _answers(server.health):
            return
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{server.name} does not answer at {server.health} after {START_SECONDS:.0f} s: expected it "
                f"within seconds. Its log is {log}; `stillhouse doctor` looks for the cause."
            )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.TransportError:
        return False  # Not listening yet.


def _write_file(settings: Settings, processes: Iterable[subprocess.Popen[bytes]]) -> Services:
    file = Services(
        **Child.of(os.getpid()).model_dump(),
        host=socket.gethostname(),
        home=settings.home,
        prefect_api_url=prefect_api_url(settings),
        # The file is for everybody who reads this home: who needs the password has it in the settings.
        mlflow_tracking_uri=without_credentials(settings.mlflow_uri or "")
        or f"http://{LOOPBACK}:{settings.mlflow_port}",
        login=SERVER_LOGIN not in os.environ,
        children=still_running(processes),
    )
    with disk_errors(settings.services_file):
        write_atomically(settings.services_file, file.model_dump_json(indent=2) + "\n")
    return file


def _watch(settings: Settings, processes: Processes, stop: threading.Event) -> None:
    while not stop.wait(0.5):
        for name, process in processes.items():
            if process.poll() is not None:
                raise ended(name, log_file(settings, name), process)
