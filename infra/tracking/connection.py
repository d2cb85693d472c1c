"""Which tracking server a home speaks to, and how a connection to it is opened."""

from urllib.parse import urlparse

from infra.files import file_lock, make_folder
from infra.machine.environment import running_services
from infra.machine.processes import LOOPBACK
from infra.settings import Settings
from infra.tracking.login import choose_login
from infra.tracking.moved_home import take_over
from infra.tracking.rest import RestRuns
from infra.tracking.values import Runs


def tracking_uri(settings: Settings) -> str:
    """The server that is set, else `stillhouse up`'s if it runs, else SQLite under home."""
    services = running_services(settings)
    return settings.mlflow_uri or (services.mlflow_tracking_uri if services else database_uri(settings))


def is_own_server(settings: Settings) -> bool:
    """Whether the tracking server is the one that `stillhouse up` runs on this machine."""
    services = running_services(settings)
    return (
        services is not None
        and settings.mlflow_uri is None
        and urlparse(services.mlflow_tracking_uri).hostname == LOOPBACK
    )


def registry_uri(settings: Settings) -> str:
    """Where models are registered: with the tracking server, or beside the home's own in the database that it reads.

    That server knows nobody's name, and so takes no version of a model from anybody (infra/machine/services.py).
    """
    return database_uri(settings) if is_own_server(settings) else tracking_uri(settings)


def database_uri(settings: Settings) -> str:
    """The tracking store under home."""
    return f"sqlite:///{settings.mlflow_database}"


def connect_runs(settings: Settings, experiment: str) -> tuple[Runs, str]:
    """A connection and the id of an experiment, which is made when it is not there. Raises what the client raises."""
    uri = tracking_uri(settings)
    choose_login(settings, uri)
    embedded = uri.startswith("sqlite")
    if embedded:
        make_folder(settings, settings.mlflow_artifacts)
    make_folder(settings, settings.locks)
    location = settings.mlflow_artifacts.as_uri() if embedded else None
    # The first use of a new SQLite file by two processes at once breaks it for good.
    with file_lock(settings.locks / "mlflow.lock"):
        if settings.mlflow_uri is None:
            take_over(settings)
        runs = _open(settings, uri)
        return runs, runs.experiment(experiment, location)


def settle_home(settings: Settings) -> None:
    """Free a home that was copied or moved of its old place before anybody looks at its runs."""
    with file_lock(settings.locks / "mlflow.lock"):
        take_over(settings)


def _open(settings: Settings, uri: str) -> Runs:
    if is_own_server(settings):
        return RestRuns(uri)
    from infra.tracking.client import ClientRuns

    return ClientRuns(uri)
