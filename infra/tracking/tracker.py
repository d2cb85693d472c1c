"""MLflow: a parent run a flow, a child run a stage.

Tracking never stops the work: a server that is down or refuses is said once, and the metrics stay beside the artifact
(`record.json`, `metrics.jsonl`). Run ids are passed on explicitly; MLflow's own "active run" is thread-local.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlparse

from pydantic import JsonValue

from infra.files import file_lock
from infra.machine.environment import running_services
from infra.machine.processes import LOOPBACK
from infra.settings import Settings, without_credentials
from infra.store.history import Point
from infra.store.record import Record
from infra.tracking.rest import RestRuns
from infra.tracking.values import MetricPoint, Parameter, Runs

logger = logging.getLogger(__name__)
BATCH_METRICS, BATCH_PARAMETERS = 500, 100
PARAMETER_LENGTH = 500
Item = TypeVar("Item")
Result = TypeVar("Result")


class Tracker:
    """One flow's view of the tracking server."""

    def __init__(self, settings: Settings, experiment: str) -> None:
        self.settings = settings
        self.experiment = experiment
        self.uri = tracking_uri(settings)
        self._runs: Runs | None = None
        self._experiment_id = ""
        self._down = False
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tracking")

    def start(
        self,
        name: str,
        parent: str | None = None,
        config: JsonValue = None,
        tags: Mapping[str, str] | None = None,
    ) -> str | None:
        """Open a run and return its id; None when tracking is down."""

        def open_run(runs: Runs) -> str:
            own = {"mlflow.parentRunId": parent} if parent else {}
            run = runs.create(self._experiment_id, name, {**own, **(tags or {})})
            _send(runs, run, (), _parameters(config))
            return run

        return self._try(f"open the run {name}", open_run)

    def log(self, run_id: str | None, points: Iterable[Point]) -> None:
        """Log (name, value, step) points in as few calls as possible."""
        if run_id is not None:
            self._try("log metrics", lambda runs: _send(runs, run_id, _timed(points), ()))

    def log_file(self, run_id: str | None, path: Path, folder: str | None = None) -> None:
        """Keep a file as an artifact of a run."""
        if run_id is not None:
            self._try(f"keep {path.name}", lambda runs: runs.keep(run_id, path, folder))

    def end(self, run_id: str | None, status: str = "FINISHED") -> None:
        """Close a run as FINISHED, FAILED or KILLED."""
        if run_id is not None:
            self._try("close a run", lambda runs: runs.end(run_id, status))

    def end_killed(self, run_id: str | None) -> None:
        """Close a run whose process is gone, and those of its stages that are still open, as KILLED."""
        if run_id is None:
            return

        def close(runs: Runs) -> None:
            for killed in (*runs.open_children(self._experiment_id, run_id), run_id):
                runs.end(killed, "KILLED")

        self._try("close a killed run", close)

    def page(self, run_id: str | None) -> str:
        """Where a server's UI shows a run."""
        return f"{without_credentials(self.uri)}/#/experiments/{self._experiment_id}/runs/{run_id}"

    def flush(self) -> None:
        """Wait until everything that was replayed has arrived."""
        self._background.submit(lambda: None).result()

    def replay(self, record: Record, parent: str | None, points: Sequence[Point]) -> None:
        """Show a cached stage as a child run with the original's metrics and where they came from.

        Nothing waits for it but `flush`: a run whose stages are all cached does little else.
        """
        tags = {
            "cache.hit": "true",
            "cache.source_run_id": record.mlflow_run_id or "",
            "digest": record.digest,
        } | ({"mlflow.parentRunId": parent} if parent else {})

        def show(runs: Runs) -> None:
            run = runs.create(self._experiment_id, record.stage, tags)
            last = [(name, value, 0) for name, value in record.metrics.items()]
            _send(runs, run, _timed([*points, *last]), _parameters(record.config))
            runs.end(run, "FINISHED")

        self._background.submit(self._try, f"show the cached {record.stage}", show)

    def register_model(
        self,
        name: str,
        folder: Path,
        code: Path,
        aliases: tuple[str, ...],
        tags: Mapping[str, str],
        parent: str | None = None,
    ) -> str | None:
        """Register a release folder as a pyfunc model and point `aliases` at it; returns the version.

        Idempotent by the tag `digest`: bytes that are registered already keep their version. `code` is a
        models-from-code file that finds the folder under the artifact name `release`.
        """

        def register(runs: Runs) -> str:
            # Two runs that release the same bytes at once make one version of them.
            with file_lock(self.settings.locks / "registry.lock"):
                return self._register(runs, name, folder, code, aliases, tags, parent)

        return self._try(f"register the model {name}", register)

    def point_alias(self, name: str, alias: str, tags: Mapping[str, str]) -> str | None:
        """Point an alias at the newest version of a registered model that has `tags`; returns that version.

        None when no version has them, or tracking is down.
        """

        def point(runs: Runs) -> str | None:
            fitting = [v for v in runs.versions(name) if tags.items() <= dict(v.tags).items()]
            if not fitting:
                return None
            newest = max(fitting, key=lambda v: int(v.version))
            if alias not in newest.aliases:
                from infra.tracking.client import connect

                connect(self.uri).set_registered_model_alias(name, alias, newest.version)
            return newest.version

        return self._try(f"point {alias} at a version of {name}", point)

    def _register(
        self,
        runs: Runs,
        name: str,
        folder: Path,
        code: Path,
        aliases: tuple[str, ...],
        tags: Mapping[str, str],
        parent: str | None,
    ) -> str:
        found = next((v for v in runs.versions(name) if v.tags.get("digest") == tags["digest"]), None)
        if found and found.aliases.issuperset(aliases) and tags.items() <= dict(found.tags).items():
            return found.version
        from infra.tracking.client import connect, log_release

        if found is None:
            run_id = self.start("register", parent, tags={"digest": tags["digest"]})
        version = found.version if found else log_release(self.uri, run_id, name, folder, code)
        client = connect(self.uri)
        for tag, value in tags.items():
            client.set_model_version_tag(name, version, tag, value)
        for alias in aliases:
            client.set_registered_model_alias(name, alias, version)
        return version

    def _try(self, what: str, call: Callable[[Runs], Result]) -> Result | None:
        if self._down:
            return None
        try:
            return call(self._connect())
        except Exception as error:  # Any fault of the tracking server, of whatever type: the work goes on.
            self._down = True
            said = without_credentials(str(error), self.uri).split("\n", 1)[0][:300]
            logger.warning(
                "MLflow at %s could not %s (%s: %s). The run goes on without tracking; every metric is kept beside its "
                "artifact. Start it with `python -m infra.cli up`, or correct STILLHOUSE_MLFLOW_URI.",
                without_credentials(self.uri), what, type(error).__name__, said,
            )  # fmt: skip
            return None

    def _connect(self) -> Runs:
        if self._runs is None:
            if self.uri.startswith("sqlite"):
                self.settings.mlflow_artifacts.mkdir(parents=True, exist_ok=True)
            self.settings.locks.mkdir(parents=True, exist_ok=True)
            location = self.settings.mlflow_artifacts.as_uri() if self.uri.startswith("sqlite") else None
            # The first use of a new SQLite file by two processes at once breaks it for good.
            with file_lock(self.settings.locks / "mlflow.lock"):
                runs = self._open()
                self._experiment_id = runs.experiment(self.experiment, location)
            self._runs = runs
        return self._runs

    def _open(self) -> Runs:
        if is_own_server(self.settings):
            return RestRuns(self.uri)
        from infra.tracking.client import ClientRuns

        return ClientRuns(self.uri)


def tracking_uri(settings: Settings) -> str:
    """The server that is set, else `infra.cli up`'s if it runs, else SQLite under home."""
    services = running_services(settings)
    return settings.mlflow_uri or (
        services.mlflow_tracking_uri if services else f"sqlite:///{settings.mlflow_database}"
    )


def prepare_tracking() -> None:
    """Import MLflow's client ahead of its use, for a caller who has to wait for something else."""
    import infra.tracking.client  # noqa: F401


def is_own_server(settings: Settings) -> bool:
    """Whether the tracking server is the one that `infra.cli up` runs on this machine."""
    services = running_services(settings)
    return (
        services is not None
        and settings.mlflow_uri is None
        and urlparse(services.mlflow_tracking_uri).hostname == LOOPBACK
    )


def _send(runs: Runs, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter]) -> None:
    """Log in as few batches as the server takes."""
    several, named = _batches(metrics, BATCH_METRICS), _batches(parameters, BATCH_PARAMETERS)
    for some, others in zip_longest(several, named, fillvalue=()):
        runs.log(run, some, others)


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _timed(points: Iterable[Point]) -> list[MetricPoint]:
    now = int(time.time() * 1000)
    return [MetricPoint(name, value, now, step) for name, value, step in points]


def _parameters(config: JsonValue) -> list[Parameter]:
    return [(field, value[:PARAMETER_LENGTH]) for field, value in flatten(config)]


def flatten(value: JsonValue, prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON as (dotted name, text) pairs, the way MLflow shows parameters."""
    if isinstance(value, dict):
        return [
            pair for name in value for pair in flatten(value[name], f"{prefix}.{name}" if prefix else name)
        ]
    return [(prefix, "" if value is None else str(value))] if prefix else []
