"""The tracking server of `infra.cli up`, asked over MLflow's REST API for what every run needs.

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

from infra.tracking.values import EXPERIMENT_TAGS, MetricPoint, Parameter, Version

TIMEOUT_S = 10.0
PAGE = 1000


class RestRuns:
    """Runs on a server of this machine, whose artifacts are files here."""

    def __init__(self, uri: str) -> None:
        self._http = httpx.Client(base_url=f"{uri}/api/2.0/mlflow/", timeout=TIMEOUT_S, trust_env=False)

    def experiment(self, name: str, location: str | None) -> str:
        """Id of the experiment, made when it is not there."""
        found = self._http.get("experiments/get-by-name", params={"experiment_name": name})
        if found.status_code == httpx.codes.NOT_FOUND:
            asked: dict[str, Any] = {"artifact_location": location} if location else {}
            asked |= {"name": name, "tags": [{"key": k, "value": v} for k, v in EXPERIMENT_TAGS.items()]}
            return str(self._post("experiments/create", asked)["experiment_id"])
        return str(found.raise_for_status().json()["experiment"]["experiment_id"])

    def create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Open a run and return its id."""
        told = self._post("runs/create", {
            "experiment_id": experiment, "run_name": name, "start_time": _now(),
            "tags": [{"key": key, "value": value} for key, value in tags.items()]})["run"]["info"]  # fmt: skip
        return str(told["run_id"])

    def log(self, run: str, metrics: Sequence[MetricPoint], parameters: Sequence[Parameter]) -> None:
        """Log one batch."""
        self._post("runs/log-batch", {
            "run_id": run,
            "metrics": [{"key": m.name, "value": _json_number(m.value), "timestamp": m.time, "step": m.step} for m in metrics],
            "params": [{"key": name, "value": value} for name, value in parameters]})  # fmt: skip

    def end(self, run: str, status: str) -> None:
        """Close a run."""
        self._post("runs/update", {"run_id": run, "status": status, "end_time": _now()})

    def open_children(self, experiment: str, parent: str) -> list[str]:
        """Ids of a run's children that are not closed."""
        wanted = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'"
        found = self._post(
            "runs/search", {"experiment_ids": [experiment], "filter": wanted, "max_results": PAGE}
        )
        return [run["info"]["run_id"] for run in found.get("runs", [])]

    def keep(self, run: str, file: Path, folder: str | None) -> None:
        """Keep a file as an artifact of a run."""
        told = self._http.get("runs/get", params={"run_id": run}).raise_for_status().json()["run"]["info"]
        target = Path(unquote(urlparse(told["artifact_uri"]).path)) / (folder or "")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / file.name)

    def versions(self, name: str) -> list[Version]:
        """Versions of a registered model; none for a model that is not registered."""
        answer = self._http.get("registered-models/get", params={"name": name})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return []
        aliases = answer.raise_for_status().json()["registered_model"].get("aliases", [])
        wanted = {"filter": f"name = '{name}'", "max_results": str(PAGE)}
        found = self._http.get("model-versions/search", params=wanted).raise_for_status().json()
        return [
            Version(
                version=str(told["version"]),
                tags={tag["key"]: tag["value"] for tag in told.get("tags", [])},
                aliases=frozenset(a["alias"] for a in aliases if str(a["version"]) == str(told["version"])),
            )
            for told in found.get("model_versions", [])
        ]

    def _post(self, endpoint: str, content: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._http.post(endpoint, json=content).raise_for_status().json()
        return answer


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; protobuf's reading of it takes their names."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _now() -> int:
    return int(time.time() * 1000)
