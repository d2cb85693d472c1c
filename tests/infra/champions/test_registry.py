"""A release registers with its aliases, beside a server that takes no version from anybody, in a home that was moved too."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from infra.champions.registry import Model, Registry
from infra.machine.processes import end_processes, start_process, still_running
from infra.machine.services import MLFLOW_SOURCES, NO_SOURCE, await_ready, servers
from infra.settings import Settings
from tests.infra.ports import free_ports

pytestmark = pytest.mark.slow  # MLflow's server, and its client

NAME, EXPERIMENT, ALIASES = "local-intents", "stillhouse/registry", ("challenger", "champion")
CODE = """import mlflow


class Answers(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        from pathlib import Path

        (found,) = Path(context.artifacts["release"]).glob("answer.txt")
        self.answer = found.read_text()

    def predict(self, context, model_input, params=None):
        return [self.answer for _ in model_input]


mlflow.models.set_model(Answers())
"""


def model(place: Path, answer: str) -> tuple[Model, dict[str, str]]:
    """A release that always answers the same, and its tags."""
    folder = place / f"release of {answer}"
    folder.mkdir(parents=True)
    (folder / "answer.txt").write_text(answer)
    code = place / "answers.py"
    code.write_text(CODE)
    return Model(folder, code, ("answer.txt",)), {"digest": f"package of {answer}"}


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """MLflow's server as `up` starts it, with services.json that says so."""
    server = next(server for server in servers(settings) if server.name == "mlflow")
    as_up_sets = {MLFLOW_SOURCES: NO_SOURCE, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process: subprocess.Popen[bytes] = start_process(
        settings.home / "mlflow.log", server.command, environment=os.environ | as_up_sets
    )
    try:
        await_ready(server, settings.home / "mlflow.log", process)
        uri = f"http://127.0.0.1:{settings.mlflow_port}"
        told = {"pid": os.getpid(), "prefect_api_url": "http://127.0.0.1:9/api", "mlflow_tracking_uri": uri}
        settings.services_file.write_text(json.dumps(told))
        yield uri
    finally:
        end_processes(still_running([process]))
        settings.services_file.unlink(missing_ok=True)


def test_a_release_registers_beside_the_server_and_in_a_moved_home(
    tracked_home: Path, tmp_path: Path
) -> None:
    first, tags = model(tmp_path, "one")
    assert Registry(Settings(home=tracked_home), EXPERIMENT).register(NAME, first, ALIASES, tags, {}) == "1"
    tracked_home.rename(tmp_path / "moved")
    settings = Settings(home=tmp_path / "moved", mlflow_port=free_ports(1)[0])
    with served(settings) as uri:
        registry = Registry(settings, EXPERIMENT)
        second, tags = model(tmp_path, "two")
        assert registry.register(NAME, second, ALIASES, tags, {}) == "2"
        assert registry.register(NAME, second, ALIASES, tags, {}) == "2"
        holder = registry.holder(NAME, "champion")
        assert holder is not None and (holder.version, holder.aliases) == ("2", {*ALIASES})
        assert registry.doubt(NAME, holder, tags) is None

        asked = {"name": NAME, "source": MlflowClient(uri).get_model_version_download_uri(NAME, "2")}
        assert httpx.post(f"{uri}/api/2.0/mlflow/model-versions/create", json=asked).status_code == 400
        mlflow.set_tracking_uri(uri)
        assert mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(["a"]) == ["two"]
        assert mlflow.pyfunc.load_model(f"models:/{NAME}/1").predict(["a"]) == ["one"]
