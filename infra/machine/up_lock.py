"""One `up` a home, and what a `services.json` means whose servers do not run here.

`up` holds a lock as long as it lives. Containers that share a disk see it, though not each other's processes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import Timeout

from infra.errors import ServiceError
from infra.files import disk_errors, file_lock, make_folder
from infra.machine.environment import Services, is_of_home, recorded_services, running_services
from infra.machine.held import is_held
from infra.settings import Settings

UP_LOCK = "up.lock"
SECONDS = 2.0  # Not at once: whoever asks whether it is held has it for a moment.


@contextmanager
def only_up(settings: Settings) -> Iterator[None]:
    """The `up` of this home, for the length of the block. Raises ServiceError naming the one that there is."""
    lock = file_lock(settings.locks / UP_LOCK)
    with disk_errors(settings.home):
        make_folder(settings, settings.locks)
        try:
            lock.acquire(timeout=SECONDS)
        except Timeout:
            raise _second(settings) from None
    try:
        if running_services(settings) is not None:  # of a version that took no lock
            raise _second(settings)
        yield
    finally:
        lock.release()


def up_is_elsewhere(settings: Settings) -> bool:
    """Whether `up` of this home lives where its process and its servers cannot be seen from."""
    lock = settings.locks / UP_LOCK
    return running_services(settings) is None and lock.is_file() and is_held(lock)


def out_of_reach(settings: Settings) -> str:
    """Where that is, as a sentence without its end."""
    services = recorded_services(settings)
    where = f"as {_process(services)}" if services else "and is about to start its servers"
    return f"`up` of {settings.home} runs {where}, out of reach from here"


def left_behind(settings: Settings) -> str | None:
    """What there is to say of a `services.json` whose servers do not run here; None when there is nothing."""
    if up_is_elsewhere(settings):
        return out_of_reach(settings)
    if running_services(settings) is not None or not settings.services_file.is_file():
        return None
    services = recorded_services(settings)
    if services is None:
        return "it cannot be read"
    if not is_of_home(services, settings):
        return (
            f"it is of the home {services.home}, of which this one is a copy: its servers ({_process(services)}) "
            "are not this home's, and flows here do not use them"
        )
    return f"left by a killed `up` ({_process(services)})"


def _second(settings: Settings) -> ServiceError:
    services = running_services(settings)
    if services is None:
        return ServiceError(f"{out_of_reach(settings)}: expected none. End it there first.")
    return ServiceError(
        f"the services of {settings.home} run already (process {services.pid}): Prefect at "
        f"{services.prefect_api_url}, MLflow at {services.mlflow_tracking_uri}. Use them, or end them with "
        "`stillhouse down`."
    )


def _process(services: Services) -> str:
    return f"process {services.pid}" + (f" of host {services.host}" if services.host else "")
