"""Prefect's temporary server from its start to its end, without Prefect's being imported here.

A command that runs a flow begins it first of all: the server's start and Prefect's import take seconds, of a core each.
"""

import atexit
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from infra.errors import StillhouseError
from infra.files import disk_errors, file_lock, make_folder, write_atomically
from infra.machine import ends_with_parent
from infra.machine.environment import server_environment, users_profiles_are_read
from infra.machine.login import SERVER_LOGIN, server_login
from infra.machine.processes import LOOPBACK, end_processes, last_error, start_process, still_running
from infra.machine.services import PREFECT_LOCK, Server, log_file
from infra.machine.surroundings import PREFECT_API
from infra.machine.temporary_servers import APPLICATION, MARK
from infra.settings import Settings

# What Prefect gives its own temporary server: no UI, and settings that do not change under it.
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", MARK: "1", "PREFECT__SERVER_FINAL": "1"}
# Nobody looks at the feed of events of a server that is gone with its run, and tasks, states and log lines say the same: 92
# events and 276 resources, 0.4 MB for a run that computes nothing. `up`'s server keeps a feed, and itself a week of it.
UNLESS_ASKED = {"PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false"}
# By either of these a user wants no temporary server.
UNWANTED = ("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "PREFECT_SERVER_EPHEMERAL_ENABLED")


@dataclass(frozen=True)
class Booting:
    """A server that was started; `login` is what it asks for."""

    process: subprocess.Popen[bytes]
    server: Server
    log: Path
    login: str


_early: list[Booting] = []


def begin_early(settings: Settings) -> None:
    """Start the server that a flow is going to need, where that is plain: `temporary_server` decides, and takes it up.

    Not the first one of a home, which makes Prefect's tables and starts alone; nor where Prefect was imported already,
    which is what its start goes on beside.
    """
    named = any(name in os.environ for name in (PREFECT_API, *UNWANTED)) or users_profiles_are_read()
    if not (named or _early or "prefect" in sys.modules) and _says(*_tables(settings)):
        with suppress(StillhouseError):  # What is wrong with the home is said by whom the command asks next.
            _early.append(boot(settings))


def take_early() -> Booting | None:
    """The one that was begun, once."""
    return _early.pop() if _early else None


def boot(settings: Settings) -> Booting:
    """Start one, which ends with this process."""
    server, login = _server(_free_port()), server_login(settings)
    log = log_file(settings, server.name)
    bound = (sys.executable, "-S", str(ends_with_parent.__file__), str(os.getpid()), *server.command)
    environment = UNLESS_ASKED | server_environment() | ENVIRONMENT | {SERVER_LOGIN: login}
    process = start_process(log, bound, environment=environment)
    # At the end of the process and no sooner: until then Prefect sends the last events and log lines.
    booting = Booting(process, server, log, login)
    atexit.register(_stop, booting)
    return booting


@contextmanager
def database_made(settings: Settings) -> Iterator[None]:
    """The first server of a home, and of a new version of Prefect, starts alone; the later ones do not wait."""
    made, wanted = _tables(settings)
    with ExitStack() as stack:
        if not _says(made, wanted):
            with disk_errors(settings.locks):
                make_folder(settings, settings.locks)
                stack.enter_context(file_lock(settings.locks / PREFECT_LOCK))
        yield
        if not _says(made, wanted):
            with disk_errors(made):
                write_atomically(made, wanted)


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _tables(settings: Settings) -> tuple[Path, str]:
    """The file that says who made Prefect's tables in a home, and what it is to say."""
    # Which database it was, without its password.
    database = hashlib.sha256(os.environ.get(DATABASE, "").encode()).hexdigest()
    return settings.home / "prefect" / "tables-made-by", f"{version('prefect')} {database}"


def _stop(booting: Booting) -> None:
    if booting in _early:  # Nobody came to use it: a mistake of the command line does not wait for its start.
        booting.process.kill()
    end_processes(still_running([booting.process]))
    if last_error(booting.log) is None:
        booting.log.unlink(missing_ok=True)


def _server(port: int) -> Server:
    command = (
        sys.executable, "-m", "uvicorn", "--app-dir", str(distribution("prefect").locate_file("prefect")), "--factory",
        APPLICATION, "--host", LOOPBACK, "--port", str(port),
        "--log-level", "error", "--lifespan", "on",
    )  # fmt: skip
    return Server(
        f"prefect-{port}", port, "STILLHOUSE_PREFECT_PORT", f"http://{LOOPBACK}:{port}/api/health", command
    )


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
