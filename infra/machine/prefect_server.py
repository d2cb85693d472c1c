"""Prefect's server for the length of one command, where none is set and `stillhouse up` does not run.

Prefect would start one by itself, but imports the whole server into the flow's own process first (4 s), and only then
waits for it. This one boots while Prefect's client and MLflow are imported (server_boot.py).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.context import get_settings_context, refresh_global_settings_context
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    get_current_settings,
    temporary_settings,
)
from prefect.settings.legacy import Setting

from infra.errors import ServiceError
from infra.machine.environment import running_services
from infra.machine.login import REFUSED, refused
from infra.machine.server_boot import boot, database_made, take_early
from infra.machine.services import await_ready, log_file
from infra.machine.surroundings import PREFECT_API, api_obstacle, is_cloud
from infra.settings import Settings, without_credentials


@contextmanager
def temporary_server(settings: Settings, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Flows called inside have a server; `meanwhile` runs while it boots.

    Raises ServiceError with the end of the server's log when it does not start, and when one that is set is silent or does
    not let us in.
    """
    if url := PREFECT_API_URL.value():
        _refuse_silent(settings, url)
        _refuse_without_login(url)
    if url or not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        yield
        return
    with database_made(settings):
        booting = take_early() or boot(settings)
        meanwhile()
        await_ready(booting.server, booting.log, booting.process)
    address = booting.server.health.removesuffix("/health")
    ours = {PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: booting.login}
    with _everywhere(ours), temporary_settings(ours, restore_defaults=(PREFECT_API_KEY,)):
        yield


@contextmanager
def _everywhere(ours: Mapping[Setting, str]) -> Iterator[None]:
    """Settings for Prefect's own threads and for a task runner's processes, neither of which have the caller's context.

    Without, each brings a server of its own, which outlives the run.
    """
    before = {setting.name: os.environ.get(setting.name) for setting in ours}
    os.environ.update({setting.name: value for setting, value in ours.items()})
    refresh_global_settings_context()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        refresh_global_settings_context()


def _refuse_silent(settings: Settings, url: str) -> None:
    """Raises ServiceError for a server that does not answer: that of `up`, of the environment, or of the user's profile."""
    obstacle = api_obstacle(url)
    if obstacle is None:
        return
    services = running_services(settings)
    if services is not None and services.prefect_api_url == url:
        raise ServiceError(
            f"{obstacle} It is the server of `stillhouse up`, for services.json says that process {services.pid} runs it: "
            f"`stillhouse down`, then `up` again; its log is {log_file(settings, 'prefect')}."
        )
    if PREFECT_API in os.environ:
        raise ServiceError(str(obstacle))
    profile = get_settings_context().profile.name
    raise ServiceError(
        f"{obstacle} Your Prefect settings name it (profile {profile} of {get_current_settings().profiles_path}): start it, "
        "or choose another profile: `prefect profile use ephemeral`, or PREFECT_PROFILE=ephemeral for this command alone, "
        "which brings its own server."
    )


def _refuse_without_login(url: str) -> None:
    """Raises ServiceError for a server that does not let Prefect's client in, with what its settings make it send.

    Its /health, which is asked before, is open to all, and another program may answer `true` to it. Prefect Cloud is left
    alone.
    """
    if is_cloud(url):
        return
    try:
        with get_client(sync_client=True) as client:
            client.api_version()
    except PrefectHTTPStatusError as error:
        status = error.response.status_code
        if status in REFUSED:
            raise refused(url) from None
        raise _no_prefect(url, f"answers {status} to /admin/version") from None
    except httpx.TransportError as error:
        raise _no_prefect(url, f"does not answer /admin/version ({error})") from None
    except ValueError:
        raise _no_prefect(url, "answers /admin/version with something that is no version") from None


def _no_prefect(url: str, does: str) -> ServiceError:
    return ServiceError(
        f"{PREFECT_API} is {without_credentials(url)}, which {does}: expected Prefect's server. Correct its address (it "
        f"ends in /api), or take it away (`unset {PREFECT_API}`): a run then brings its own."
    )
