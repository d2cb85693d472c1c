"""Environment of the libraries under us, set before any of them is imported: they read it once, at import.

Whatever the user has set already stays as it is.
"""

import logging
import os
import sys
import tempfile
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, Field

from infra import env_file
from infra.errors import StoreError
from infra.files import disk_errors, make_folder, make_home, prove_locks
from infra.machine import surroundings
from infra.machine.login import CLIENT_LOGIN, log_in, read_login
from infra.machine.processes import LOOPBACK, Child
from infra.settings import Settings, get_settings

OWN_LOGGERS = ("infra", "tasks", "flows", "stillhouse")
CONSOLE_LEVEL, QUIET, HEARD = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL", "WARNING"
PROFILES = "PREFECT_PROFILES_PATH"
PYTHON_PATH = "PYTHONPATH"


class Services(BaseModel):
    """Addresses of the servers that `stillhouse up` runs, and which process of which host runs them for which home."""

    pid: int
    started: float | None = None
    host: str = ""
    home: Path | None = None
    prefect_api_url: str
    mlflow_tracking_uri: str
    # Whether Prefect's server asks for the home's; that of an older version asks for nothing.
    login: bool = False
    children: tuple[Child, ...] = Field((), description="servers to end should `up` be killed")

    @property
    def up(self) -> Child:
        """The process of `up`."""
        return Child(pid=self.pid, started=self.started or 0.0)


def recorded_services(settings: Settings) -> Services | None:
    """What `services.json` says, whether or not it is so; None when there is no such file, or it cannot be read."""
    file = settings.services_file
    try:
        services, written = Services.model_validate_json(file.read_bytes()), file.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if services.started is None:
        return services.model_copy(update={"started": _started_before(services.pid, written)})
    return services


def running_services(settings: Settings) -> Services | None:
    """Servers that `stillhouse up` of this very home runs here; None when there are none, or its process is gone.

    A home that was copied while `up` ran has a `services.json` too: the servers in it are the original's.
    """
    services = recorded_services(settings)
    return services if services and is_of_home(services, settings) and services.up.lives() else None


def is_of_home(services: Services, settings: Settings) -> bool:
    """Whether a `services.json` was written for the home that it lies in. An older version did not say: then it was."""
    try:
        return services.home is None or services.home.samefile(settings.home)
    except OSError:
        return False  # It is not there any more, or out of reach: not this one.


def _started_before(pid: int, written: float) -> float | None:
    """When the process began that an older version named by its number alone: before it wrote that number.

    None when there is none, or the number was given to another process since.
    """
    child = Child.if_alive(pid)
    return child.started if child is not None and child.started <= written else None


def prepare() -> None:
    """Point Prefect, MLflow and the Hub's clients at `STILLHOUSE_HOME`, quietly and without telemetry."""
    settings = get_settings()
    surroundings.set_right(settings.home)
    _leave_working_folder_out()
    services = running_services(settings)
    wanted = {
        # Found once: who is started in another folder would look from there.
        "STILLHOUSE_HOME": str(settings.home),
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_LOCAL_STORAGE_PATH": str(settings.home / "prefect" / "results"),
        # Nothing of ours is kept there. What a program beside us keeps is no pickle, which runs when it is read.
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # No page but the UI's own may speak to a server started from here; Prefect's default is any page.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(
            f"http://{host}:{settings.prefect_port}" for host in (LOOPBACK, "localhost")
        ),
        # "Finished in state Cached()" stands beside each task's state; that a task failed, and why, is said still.
        "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        # Our own lines go to the terminal; Prefect's go to its server, where the UI shows them.
        CONSOLE_LEVEL: QUIET,
        # In a scheduled run nobody sits at the terminal: Prefect's log has our lines too.
        "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(OWN_LOGGERS),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        # A hiccup is bridged in a few seconds; what lasts longer is the tracker's to wait out.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if not _on_a_terminal():
        # Some of the Hub's bars, and with them transformers', are drawn into a log too: a line of carriage returns.
        wanted["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if services is not None:
        wanted["PREFECT_API_URL"] = services.prefect_api_url
    if _users_profiles_count(wanted["PREFECT_HOME"], services):
        wanted[PROFILES] = _users_profiles()
    else:  # Its own default, which it would look for in files of the working folder first.
        prefect_home = os.environ.get("PREFECT_HOME", wanted["PREFECT_HOME"])
        wanted[PROFILES] = str(Path(prefect_home) / "profiles.toml")
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    if services is not None and os.environ[surroundings.PREFECT_API] == services.prefect_api_url:
        login = login_of(services, settings)
        if login is not None:
            log_in(login)
    for name in OWN_LOGGERS:
        if (logger := logging.getLogger(name)).level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    # Prefect makes the last folder only. A home that cannot be written is said by `open_home`, with the remedy.
    with suppress(OSError):
        make_folder(settings, settings.home / "prefect")


def _on_a_terminal() -> bool:
    """Whether bars that are drawn on stderr are seen as such. (A process may have none.)"""
    stream: TextIO | None = sys.stderr
    return stream is not None and stream.isatty()


def login_of(services: Services, settings: Settings) -> str | None:
    """What clients of `up`'s Prefect server send: the home's string, or the user's own. Raises ServiceError as read_login."""
    return read_login(settings) if services.login else os.environ.get(CLIENT_LOGIN)


def _leave_working_folder_out() -> None:
    """What the working folder holds is not for this process's children to import, nor for Prefect to be set by."""
    # An interpreter looks for modules there first, also one that a library starts with `python -c`. A checkout that is
    # not installed stays importable, and so does what the user has on the path.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    path = [os.path.abspath(place) for place in os.environ.get(PYTHON_PATH, "").split(os.pathsep) if place]  # noqa: PTH100
    if (env_file.PROJECT / env_file.PYPROJECT).is_file() and str(env_file.PROJECT) not in path:
        path.append(str(env_file.PROJECT))
    if path:
        os.environ[PYTHON_PATH] = os.pathsep.join(path)
    # Children have other working folders, and Prefect is imported in another one.
    if (file := env_file.chosen()) and env_file.VARIABLE in os.environ:
        os.environ[env_file.VARIABLE] = str(file)
    for name in ("PREFECT_HOME", PROFILES):
        if value := os.environ.get(name):
            os.environ[name] = os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111  (no HOME: as it is)


def server_environment() -> dict[str, str]:
    """This process's environment for a server or a worker: a flow is quiet, what goes wrong in these is in their log."""
    level = os.environ.get(CONSOLE_LEVEL, QUIET)
    environment = os.environ | {CONSOLE_LEVEL: HEARD if level == QUIET else level}
    leave_users_profile(environment)
    return environment


def leave_users_profile(environment: MutableMapping[str, str]) -> None:
    """A server of ours is no client of the user's, and its database is the home's, whatever the user's profile names."""
    if environment.get(PROFILES) == _users_profiles():
        environment[PROFILES] = str(get_settings().home / "prefect" / "profiles.toml")
        environment.pop("PREFECT_PROFILE", None)


def users_profiles_are_read() -> bool:
    """Whether Prefect reads the user's own profiles, which may name another server; after `prepare`."""
    return os.environ.get(PROFILES) == _users_profiles()


def _users_profiles_count(prefect_home: str, services: Services | None) -> bool:
    """Whether Prefect should read the user's own profiles, which moving PREFECT_HOME alone would hide from it.

    A home whose `up` runs uses that, unless a profile is asked for by name.
    """
    moved_by_us = os.environ.get("PREFECT_HOME", prefect_home) == prefect_home
    asked = services is None or "PREFECT_PROFILE" in os.environ
    return moved_by_us and asked and Path(_users_profiles()).is_file()


def _users_profiles() -> str:
    """Where `prefect cloud login` and `prefect profile` write. (Without a HOME it stays as it is, and is no file.)"""
    return os.path.expanduser("~/.prefect/profiles.toml")  # noqa: PTH111  (Path's raises without a HOME)


def open_home(settings: Settings) -> None:
    """Make `STILLHOUSE_HOME`, prove that it can be written and locked; raises StoreError with the remedy otherwise."""
    require_folder(settings)
    with disk_errors(settings.home):
        make_home(settings)
        with tempfile.TemporaryFile(dir=settings.home) as probe:
            probe.write(b"1")
            prove_locks(probe.fileno())


def require_folder(settings: Settings) -> None:
    """Raises StoreError when something that is no folder stands where `STILLHOUSE_HOME` is, or is to be made."""
    with disk_errors(settings.home):
        standing = next(place for place in (settings.home, *settings.home.parents) if place.exists())
        if not standing.is_dir():
            raise StoreError(
                f"STILLHOUSE_HOME is {settings.home}, and {standing} is a file: expected a folder. Set STILLHOUSE_HOME "
                "to a folder, or move the file away."
            )
