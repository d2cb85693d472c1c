"""Environment of the libraries under us, set before any of them is imported: they read it once, at import.

Whatever the user has set already stays as it is.
"""

import json
import os
import tempfile
from contextlib import suppress

import psutil
from pydantic import BaseModel

from infra.errors import StoreError
from infra.files import disk_errors
from infra.machine import surroundings
from infra.settings import Settings, get_settings

CONSOLE_LEVEL, QUIET, HEARD = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL", "WARNING"


class Services(BaseModel):
    """Addresses of the servers that `infra.cli up` runs, from `services.json`."""

    pid: int
    prefect_api_url: str
    mlflow_tracking_uri: str


def running_services(settings: Settings) -> Services | None:
    """Servers started by `infra.cli up`, None when there are none or their process is dead."""
    try:
        services = Services(**json.loads(settings.services_file.read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    return services if psutil.pid_exists(services.pid) else None


def prepare() -> None:
    """Point Prefect, MLflow and the Hub's clients at `STILLHOUSE_HOME`, quietly and without telemetry."""
    settings = get_settings()
    surroundings.set_right(settings.home)
    services = running_services(settings)
    wanted = {
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_LOCAL_STORAGE_PATH": str(settings.home / "prefect" / "results"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        # Our own lines go to the terminal; Prefect's go to its server, where the UI shows them.
        CONSOLE_LEVEL: QUIET,
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if services is not None:
        wanted["PREFECT_API_URL"] = services.prefect_api_url
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    # Prefect makes the last folder only. A home that cannot be written is said by `open_home`, with the remedy.
    with suppress(OSError):
        (settings.home / "prefect").mkdir(parents=True, exist_ok=True)


def server_environment() -> dict[str, str]:
    """This process's environment for a server or a worker: a flow is quiet, what goes wrong in these is in their log."""
    level = os.environ.get(CONSOLE_LEVEL, QUIET)
    return os.environ | {CONSOLE_LEVEL: HEARD if level == QUIET else level}


def open_home(settings: Settings) -> None:
    """Make `STILLHOUSE_HOME` and prove that it can be written; raises StoreError with the remedy otherwise."""
    require_folder(settings)
    with disk_errors(settings.home):
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home) as probe:
            probe.write(b"1")


def require_folder(settings: Settings) -> None:
    """Raises StoreError when something that is no folder stands where `STILLHOUSE_HOME` is, or is to be made."""
    with disk_errors(settings.home):
        standing = next(place for place in (settings.home, *settings.home.parents) if place.exists())
        if not standing.is_dir():
            raise StoreError(
                f"STILLHOUSE_HOME is {settings.home}, and {standing} is a file: expected a folder. Set STILLHOUSE_HOME "
                "to a folder, or move the file away."
            )
