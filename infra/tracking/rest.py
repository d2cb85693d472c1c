"""The tracking server of `stillhouse up`, asked over MLflow's REST API for what every run needs.

MLflow's own client takes 3.5 s to import, which is more than everything else that a run does whose stages are all
cached. So it is imported for what happens once (a model is registered) and for every other server, whose login,
proxy and artifact store are its trade. Endpoints: https://mlflow.org/docs/latest/rest-api.html
"""

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import httpx
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from infra.tracking.origin import BY, origin
from infra.tracking.values import EXPERIMENT_TAGS, MetricPoint, Parameter, Refused, Version

TIMEOUT_S = 10.0
PAGE = 1000
ATTEMPTS = 3
TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})  # those that MLflow's own client tries again
REFUSALS = frozenset({400, 404, 409, 413, 422})


def _transient(error: BaseException) -> bool:
    """Whether a request is worth sending again. Silence is not: it has cost the whole timeout."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in TRANSIENT
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.TimeoutException)


class RestRuns:
    """Runs on a server of this machine, whose artifacts are files here."""

    def __init__(self, uri: str) -> None:
        self._http = httpx.Client(base_url=f"{uri}/api/2.0/mlflow/", timeout=TIMEOUT_S, trust_env=False)

    def experiment(self, name: str, location: str | None) -> str:
        """Id of the experiment, made when it is not there."""
        found = self._get("experiments/get-by-name", {"experiment_name": name})
        if found is None:
            asked: dict[str, Any] = {"artifact_location": location} if location else {}
            asked |= {"name": name, "tags": _pairs(EXPERIMENT_TAGS)}
            return str(self._post("experiments/create", asked)["experiment_id"])
        return str(found["experiment"]["experiment_id"])

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Open a run and return its id."""
        told = self._post("runs/create", {
            "experiment_id": experiment, "run_name": name, "start_time": _now(), "user_id": origin()[BY],
            "tags": _pairs(origin() | dict(tags))})["run"]["info"]  # fmt: skip
        return str(told["run_id"])

    def log(self, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter]) -> None:
        """Log one batch."""
        self._post("runs/log-batch", {
            "run_id": run,
            "metrics": [{"key": m.name, "value": _json_number(m.value), "timestamp": m.time, "step": m.step} for m in metrics],
            "params": [{"key": name, "value": value} for name, value in parameters]})  # fmt: skip

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run."""
        self._post("runs/log-batch", {"run_id": run, "tags": _pairs(tags)})

    def end(self, run: str, status: str) -> None:
        """Close a run."""
        self._post("runs/update", {"run_id": run, "status": status, "end_time": _now()})

    def takes(self, run: str) -> bool:
        """Whether a run can be logged to: it was not deleted."""
        found = self._get("runs/get", {"run_id": run})
        return found is not None and found["run"]["info"]["lifecycle_stage"] == "active"

    def still_open(self, experiment: str, tag: str, value: str) -> list[str]:
        """Ids of the runs with this tag that are not closed."""
        wanted = f"tags.`{tag}` = '{value}' and attributes.status = 'RUNNING'"
        found = self._post(
            "runs/search", {"experiment_ids": [experiment], "filter": wanted, "max_results": PAGE}
        )
        return [run["info"]["run_id"] for run in found.get("runs", [])]

    def keep(self, run: str, file: Path, folder: str | None) -> None:
        """Keep a file as an artifact of a run."""
        shutil.copyfile(file, self._files_of_run(run, folder) / file.name)

    def keep_text(self, run: str, text: str, name: str) -> None:
        """Keep a text as an artifact of a run."""
        (self._files_of_run(run, None) / name).write_text(text, encoding="utf-8")

    def versions(self, name: str) -> list[Version]:
        """Versions of a registered model; none for a model that is not registered."""
        model = self._get("registered-models/get", {"name": name})
        if model is None:
            return []
        aliases = model["registered_model"].get("aliases", [])
        wanted = {"filter": f"name = '{name}'", "max_results": str(PAGE)}
        found = self._get("model-versions/search", wanted) or {}
        return [
            Version(
                version=str(told["version"]),
                tags={tag["key"]: tag["value"] for tag in told.get("tags", [])},
                aliases=frozenset(a["alias"] for a in aliases if str(a["version"]) == str(told["version"])),
            )
            for told in found.get("model_versions", [])
        ]

    def files_of(self, name: str, version: str) -> str:
        """Address of the files of a registered version."""
        found = self._get("model-versions/get-download-uri", {"name": name, "version": version})
        if found is None:
            raise Refused(f"there is no version {version} of {name}")
        return str(found["artifact_uri"])

    def _files_of_run(self, run: str, folder: str | None) -> Path:
        """A folder of a run's artifacts, made when it is not there."""
        told = self._get("runs/get", {"run_id": run})
        if told is None:
            raise Refused(f"there is no run {run}")
        place = Path(unquote(urlparse(told["run"]["info"]["artifact_uri"]).path)) / (folder or "")
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _get(self, endpoint: str, asked: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer; None for what is not there."""
        try:
            return self._send("GET", endpoint, params=asked)
        except Refused as refused:
            if isinstance(refused.__cause__, httpx.HTTPStatusError) and (
                refused.__cause__.response.status_code == httpx.codes.NOT_FOUND
            ):
                return None
            raise

    def _post(self, endpoint: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return self._send("POST", endpoint, json=content)

    # What arrived though its answer was lost is sent again: MLflow drops a metric that it has, and a run that was made
    # twice is closed by `Tracker.flush`.
    @retry(
        retry=retry_if_exception(_transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(initial=0.25, max=2.0, jitter=0.25),
        reraise=True,
    )
    def _send(self, method: str, endpoint: str, **content: Any) -> dict[str, Any]:
        response = self._http.request(method, endpoint, **content)
        try:
            answer: dict[str, Any] = response.raise_for_status().json()
        except httpx.HTTPStatusError as error:
            if response.status_code in REFUSALS:
                raise Refused(_said(response)) from error
            raise
        return answer


def _said(response: httpx.Response) -> str:
    """What the server says of a refusal, in a line."""
    try:
        return str(response.json()["message"]).split("\n", 1)[0]
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; protobuf's reading of it takes their names."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _now() -> int:
    return int(time.time() * 1000)
