"""Tracking through MLflow's own client: SQLite under home, and any server that the settings name.

The only module that imports mlflow (and `tasks/serving/release/pyfunc.py`, which MLflow loads); importing it takes 3.5 s.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, Schema

from infra.tracking.origin import origin
from infra.tracking.values import EXPERIMENT_TAGS, MetricPoint, Parameter, Refused, Version

REFUSALS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})
ACTIVE = "active"
# A list of texts, or a frame whose first column is `text`: a schema with that name would refuse the list.
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("string")]),
    outputs=Schema([ColSpec("string", "label"), ColSpec("float", "score")]),
)
EXAMPLE = "An example of a text, made up for this purpose."  # no row of anybody's data


def connect(uri: str) -> MlflowClient:
    """A client that is silent: what fails is raised as well, and `Tracker` says it once."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    return MlflowClient(uri)


@contextmanager
def refusals() -> Iterator[None]:
    """Tell what the server refuses from a server that fails."""
    try:
        yield
    except MlflowException as error:
        if error.error_code in REFUSALS:
            raise Refused(str(error.message).split("\n", 1)[0]) from error
        raise


class ClientRuns:
    """Runs through MLflow's own client: SQLite under home, and any server that the settings name."""

    def __init__(self, uri: str) -> None:
        self._client = connect(uri)

    def experiment(self, name: str, location: str | None) -> str:
        """See `Runs.experiment`."""
        found = self._client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, location, tags=EXPERIMENT_TAGS))

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """See `Runs.create`."""
        with refusals():
            made = self._client.create_run(experiment, run_name=name, tags=origin() | dict(tags))
            return str(made.info.run_id)

    def log(self, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter]) -> None:
        """See `Runs.log`."""
        values = [Metric(m.name, m.value, m.time, m.step) for m in metrics]
        with refusals():
            self._client.log_batch(run, values, [Param(*pair) for pair in parameters])

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """See `Runs.tag`."""
        with refusals():
            self._client.log_batch(run, tags=[RunTag(*pair) for pair in tags.items()])

    def end(self, run: str, status: str) -> None:
        """See `Runs.end`."""
        with refusals():
            self._client.set_terminated(run, status)

    def takes(self, run: str) -> bool:
        """See `Runs.takes`."""
        try:
            with refusals():
                return bool(self._client.get_run(run).info.lifecycle_stage == ACTIVE)
        except Refused:
            return False

    def still_open(self, experiment: str, tag: str, value: str) -> list[str]:
        """See `Runs.still_open`."""
        wanted = f"tags.`{tag}` = '{value}' and attributes.status = 'RUNNING'"
        return [str(run.info.run_id) for run in self._client.search_runs([experiment], wanted)]

    def keep(self, run: str, file: Path, folder: str | None) -> None:
        """See `Runs.keep`."""
        with refusals():
            self._client.log_artifact(run, str(file), folder)

    def keep_text(self, run: str, text: str, name: str) -> None:
        """See `Runs.keep_text`."""
        with refusals():
            self._client.log_text(run, text, name)

    def versions(self, name: str) -> list[Version]:
        """See `Runs.versions`."""
        models = self._client.search_registered_models(f"name = '{name}'")
        aliases = dict(models[0].aliases) if models else {}
        return [
            Version(
                version=str(found.version),
                tags=dict(found.tags),
                aliases=frozenset(name for name, of in aliases.items() if str(of) == str(found.version)),
            )
            for found in self._client.search_model_versions(f"name = '{name}'")
        ]

    def files_of(self, name: str, version: str) -> str:
        """See `Runs.files_of`."""
        with refusals():
            return str(self._client.get_model_version_download_uri(name, version))


def fetch_files(uri: str, address: str, folder: Path) -> Path:
    """The files at an address that is not on this machine, under `folder`."""
    return Path(
        mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder), tracking_uri=uri)
    )


def log_release(
    uri: str, run_id: str, name: str, folder: Path, code: Path, description: str, metrics: Mapping[str, float]
) -> str:
    """Log a release folder as a pyfunc model, register it as `name`, and return the new version. Ends the run.

    `description` (Markdown) and `metrics` are what MLflow's page of the version shows.
    """
    mlflow.set_tracking_uri(uri)
    # MLflow prints what it does on the terminal; the flow's own lines say it.
    with mlflow.start_run(run_id=run_id), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = mlflow.pyfunc.log_model(
            name="release",
            python_model=str(code),
            artifacts={"release": str(folder)},
            pip_requirements=["onnxruntime", "tokenizers", "numpy"],
            signature=SIGNATURE,
            input_example=[EXAMPLE],
            registered_model_name=name,
        )
        mlflow.log_metrics(dict(metrics), model_id=model.model_id)
    version = str(model.registered_model_version)
    if description:
        client = connect(uri)
        client.update_registered_model(name, description)
        client.update_model_version(name, version, description)
    return version


def all_runs(uri: str) -> Iterator[tuple[str, str, int | None, dict[str, str]]]:
    """(id, where its artifacts are, when it ended in ms, tags) of each run, those deleted in the UI too."""
    client = connect(uri)
    experiments = [found.experiment_id for found in client.search_experiments(ViewType.ALL)]
    if experiments:
        ask = partial(client.search_runs, experiments, "", ViewType.ALL)
        for run in _pages(ask):
            yield run.info.run_id, run.info.artifact_uri, run.info.end_time, dict(run.data.tags)


class FlowRun(NamedTuple):
    """A flow's own run; times in milliseconds since 1970."""

    run: str
    name: str
    status: str
    verdict: str
    started: int
    ended: int | None


def recent_runs(uri: str, most: int) -> list[FlowRun]:
    """Flows' own runs, the newest first; those of stages are left out."""
    client = connect(uri)
    experiments = [found.experiment_id for found in client.search_experiments()]
    if not experiments:
        return []
    runs = _pages(partial(client.search_runs, experiments, order_by=["attributes.start_time DESC"]))
    own = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    return [
        FlowRun(
            run.info.run_id,
            str(run.info.run_name),
            run.info.status,
            run.data.tags.get("stillhouse.verdict", ""),
            run.info.start_time,
            run.info.end_time,
        )
        for run in islice(own, most)
    ]


def registered_models(uri: str) -> dict[str, dict[str, str]]:
    """Every registered model that has versions, with the version of each of its aliases and of `latest`."""
    client, latest = connect(uri), dict[str, int]()
    for version in _pages(client.search_model_versions):
        latest[version.name] = max(int(version.version), latest.get(version.name, 0))
    aliases = {model.name: dict(model.aliases) for model in _pages(client.search_registered_models)}
    return {name: {"latest": str(newest), **aliases.get(name, {})} for name, newest in latest.items()}


def registered_runs(uri: str) -> list[str]:
    """Ids of the runs that versions of registered models come from: their files are the models'."""
    versions = _pages(connect(uri).search_model_versions)
    return [str(version.run_id) for version in versions if version.run_id]


def _pages(ask: Callable[..., Any]) -> Iterator[Any]:
    """All that a question of MLflow's client finds, a page at a time."""
    page = ask()
    yield from page
    while page.token:
        page = ask(page_token=page.token)
        yield from page


def delete_runs(uri: str, runs: Sequence[str]) -> None:
    """Delete runs for good. `mlflow gc` does the same, and empties the UI's bin of whatever else lies there."""
    store = SqlAlchemyStore(uri, "")  # type: ignore[no-untyped-call]
    for run in runs:
        store._hard_delete_run(run)  # type: ignore[no-untyped-call]
