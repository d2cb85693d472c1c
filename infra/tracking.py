"""MLflow: a parent run a flow, a child run a stage. The only module that imports mlflow.

Tracking never stops the work: a server that is down or refuses is said once, and the metrics stay beside the artifact
(`record.json`, `metrics.jsonl`). Run ids are passed on explicitly; MLflow's own "active run" is thread-local.
"""

import io
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock
from pydantic import JsonValue

from infra.environment import running_services
from infra.history import Point
from infra.record import Record
from infra.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

logger = logging.getLogger(__name__)
BATCH = 500
PARAMETER_LENGTH = 500
Result = TypeVar("Result")


class Tracker:
    """One flow's view of the tracking server."""

    def __init__(self, settings: Settings, experiment: str) -> None:
        self.settings = settings
        self.experiment = experiment
        self.uri = tracking_uri(settings)
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._down = False

    def start(
        self,
        name: str,
        parent: str | None = None,
        config: JsonValue = None,
        tags: Mapping[str, str] | None = None,
    ) -> str | None:
        """Open a run and return its id; None when tracking is down."""

        def open_run(client: "MlflowClient") -> str:
            from mlflow.entities import Param

            own = {"mlflow.parentRunId": parent} if parent else {}
            run = client.create_run(self._experiment_id, run_name=name, tags={**own, **(tags or {})})
            run_id = str(run.info.run_id)
            params = [Param(field, value[:PARAMETER_LENGTH]) for field, value in flatten(config)]
            for start in range(0, len(params), 100):
                client.log_batch(run_id, params=params[start : start + 100])
            return run_id

        return self._try(f"open the run {name}", open_run)

    def log(self, run_id: str | None, points: Iterable[Point]) -> None:
        """Log (name, value, step) points in as few calls as possible."""
        if run_id is None:
            return

        def send(client: "MlflowClient") -> None:
            from mlflow.entities import Metric

            now = int(time.time() * 1000)
            metrics = [Metric(name, value, now, step) for name, value, step in points]
            for start in range(0, len(metrics), BATCH):
                client.log_batch(run_id, metrics=metrics[start : start + BATCH])

        self._try("log metrics", send)

    def log_file(self, run_id: str | None, path: Path, folder: str | None = None) -> None:
        """Keep a file as an artifact of a run."""
        if run_id is not None:
            self._try(f"keep {path.name}", lambda client: client.log_artifact(run_id, str(path), folder))

    def end(self, run_id: str | None, status: str = "FINISHED") -> None:
        """Close a run as FINISHED, FAILED or KILLED."""
        if run_id is not None:
            self._try("close a run", lambda client: client.set_terminated(run_id, status))

    def end_killed(self, run_id: str | None) -> None:
        """Close a run whose process is gone, and those of its stages that are still open, as KILLED."""
        if run_id is None:
            return

        def close(client: "MlflowClient") -> None:
            still_open = f"tags.`mlflow.parentRunId` = '{run_id}' and attributes.status = 'RUNNING'"
            children = client.search_runs([self._experiment_id], still_open)
            for killed in (*(child.info.run_id for child in children), run_id):
                client.set_terminated(killed, "KILLED")

        self._try("close a killed run", close)

    def replay(self, record: Record, parent: str | None, points: Iterable[Point]) -> str | None:
        """Show a cached stage as a child run with the original's metrics and where they came from."""
        tags = {
            "cache.hit": "true",
            "cache.source_run_id": record.mlflow_run_id or "",
            "digest": record.digest,
        }
        run_id = self.start(record.stage, parent, record.config, tags)
        self.log(run_id, [*points, *((name, value, 0) for name, value in record.metrics.items())])
        self.end(run_id)
        return run_id

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

        def register(client: "MlflowClient") -> str:
            version = self._registered(client, name, tags["digest"]) or self._log_model(
                name, folder, code, tags, parent
            )
            for tag, value in tags.items():
                client.set_model_version_tag(name, version, tag, value)
            for alias in aliases:
                client.set_registered_model_alias(name, alias, version)
            return version

        return self._try(f"register the model {name}", register)

    def _registered(self, client: "MlflowClient", name: str, digest: str) -> str | None:
        versions: list[ModelVersion] = list(client.search_model_versions(f"name = '{name}'"))
        return next(
            (str(version.version) for version in versions if version.tags.get("digest") == digest), None
        )

    def _log_model(
        self, name: str, folder: Path, code: Path, tags: Mapping[str, str], parent: str | None
    ) -> str:
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        run_id = self.start("register", parent, tags={"digest": tags["digest"]})
        # MLflow prints what it does on the terminal; the flow's own lines say it.
        with mlflow.start_run(run_id=run_id), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = mlflow.pyfunc.log_model(
                name="release",
                python_model=str(code),
                artifacts={"release": str(folder)},
                pip_requirements=["onnxruntime", "tokenizers", "numpy"],
                registered_model_name=name,
            )
        return str(model.registered_model_version)

    def _try(self, what: str, call: Callable[["MlflowClient"], Result]) -> Result | None:
        if self._down:
            return None
        try:
            return call(self._connect())
        except Exception as error:  # Any fault of the tracking server, of whatever type: the work goes on.
            self._down = True
            logger.warning(
                "MLflow at %s could not %s (%s: %s). The run goes on without tracking; every metric is kept beside its "
                "artifact. Start it with `python -m infra.cli up`, or correct STILLHOUSE_MLFLOW_URI.",
                self.uri, what, type(error).__name__, str(error).splitlines()[0][:300] if str(error) else "",
            )  # fmt: skip
            return None

    def _connect(self) -> "MlflowClient":
        if self._client is None:
            from mlflow.tracking import MlflowClient

            for chatty in ("alembic", "mlflow"):
                logging.getLogger(chatty).setLevel(logging.WARNING)
            if self.uri.startswith("sqlite"):
                self.settings.mlflow_artifacts.mkdir(parents=True, exist_ok=True)
            self.settings.locks.mkdir(parents=True, exist_ok=True)
            # The first use of a new SQLite file by two processes at once breaks it for good.
            with FileLock(self.settings.locks / "mlflow.lock"):
                client = MlflowClient(self.uri)
                found = client.get_experiment_by_name(self.experiment)
                location = self.settings.mlflow_artifacts.as_uri() if self.uri.startswith("sqlite") else None
                self._experiment_id = (
                    str(found.experiment_id)
                    if found
                    else str(client.create_experiment(self.experiment, location))
                )
            self._client = client
        return self._client


def tracking_uri(settings: Settings) -> str:
    """The server that is set, else `infra.cli up`'s if it runs, else SQLite under home."""
    services = running_services(settings)
    return settings.mlflow_uri or (
        services.mlflow_tracking_uri if services else f"sqlite:///{settings.mlflow_database}"
    )


def flatten(value: JsonValue, prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON as (dotted name, text) pairs, the way MLflow shows parameters."""
    if isinstance(value, dict):
        return [
            pair for name in value for pair in flatten(value[name], f"{prefix}.{name}" if prefix else name)
        ]
    return [(prefix, "" if value is None else str(value))] if prefix else []
