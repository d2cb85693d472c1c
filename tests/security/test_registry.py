"""Nobody but its owner decides what `models:/NAME@champion` loads: MLflow runs the code that lies there."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from mlflow.tracking import MlflowClient

from infra.champions.promotions import Champion, Promotions
from infra.cli.doctor import examine
from infra.hub.local import LocalHub
from infra.settings import Settings
from tests.infra.ports import free_ports
from tests.typed import STILLHOUSE

pytestmark = pytest.mark.slow  # one `up` for all questions about it, and MLflow's client

PROJECT = Path(__file__).parents[2]
REPO, NAME = "local/intents", "local-intents"
BAD_REQUEST = 400


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    prefect, mlflow, reports = free_ports(3)
    settings = Settings(home=tmp_path_factory.mktemp("up"), prefect_port=prefect, mlflow_port=mlflow)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    places = {"HOME": settings.home, "PREFECT_PORT": prefect, "MLFLOW_PORT": mlflow, "REPORTS_PORT": reports}
    with subprocess.Popen(
        [STILLHOUSE, "up"],
        env=clean | {f"STILLHOUSE_{name}": str(value) for name, value in places.items()},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        said: list[str] = []
        for line in process.stdout or ():
            said.append(line)
            if "Ctrl-C" in line:
                break
        assert process.poll() is None, "".join(said)
        yield settings
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=400)


class Stranger:
    """Any user of the machine, who speaks to MLflow's port."""

    def __init__(self, settings: Settings, model: str) -> None:
        self.address = f"http://127.0.0.1:{settings.mlflow_port}"
        self.model = model
        self.ask("registered-models/create", name=model)

    def post(self, path: str, **asked: object) -> httpx.Response:
        return httpx.post(f"{self.address}/api/2.0/mlflow/{path}", json=asked, timeout=60)

    def ask(self, path: str, **asked: object) -> dict[str, dict[str, dict[str, str]]]:
        answer: dict[str, dict[str, dict[str, str]]] = self.post(path, **asked).raise_for_status().json()
        return answer

    def run(self, experiment: str, location: str | None = None) -> dict[str, str]:
        """A run in an experiment whose artifacts lie at an address of one's choice."""
        asked = {"artifact_location": location} if location else {}
        made = self.ask("experiments/create", name=experiment, **asked)
        return self.ask("runs/create", experiment_id=made["experiment_id"])["run"]["info"]

    def becomes_champion(self, source: str, **asked: str) -> bool:
        """Whether files of one's choice can be what everybody loads."""
        made = self.post("model-versions/create", name=self.model, source=source, **asked)
        if made.status_code == BAD_REQUEST:
            return False
        version = made.raise_for_status().json()["model_version"]["version"]
        alias = self.post("registered-models/alias", name=self.model, alias="champion", version=version)
        return alias.is_success


def test_files_of_a_stranger_become_no_champion(up: Settings, tmp_path: Path) -> None:
    stranger = Stranger(up, "elsewhere")
    run = stranger.run("elsewhere", tmp_path.as_uri())
    assert not stranger.becomes_champion(run["artifact_uri"], run_id=run["run_id"])


def test_a_logged_model_of_a_stranger_becomes_no_champion(up: Settings, tmp_path: Path) -> None:
    """`models:/m-...` stands for files wherever its experiment lies."""
    stranger = Stranger(up, "logged")
    run = stranger.run("logged", tmp_path.as_uri())
    logged = stranger.ask(
        "logged-models", experiment_id=run["experiment_id"], name="m", source_run_id=run["run_id"]
    )["model"]["info"]["model_id"]
    assert not stranger.becomes_champion(f"models:/{logged}", model_id=logged)


def test_files_that_a_stranger_put_into_the_home_become_no_champion(up: Settings) -> None:
    """MLflow's server writes files into a run for whoever asks: that they lie in the home says nothing."""
    stranger = Stranger(up, "uploaded")
    run = stranger.run("uploaded")
    where = {"run_uuid": run["run_id"], "path": "model/MLmodel"}
    put = httpx.post(
        f"{stranger.address}/ajax-api/2.0/mlflow/upload-artifact", params=where, content=b"flavors: {}"
    )
    put.raise_for_status()
    assert not stranger.becomes_champion(f"{run['artifact_uri']}/model", run_id=run["run_id"])


def test_doctor_names_a_champion_that_was_moved_by_hand(tracked_home: Path, tmp_path: Path) -> None:
    settings = Settings(home=tracked_home)
    promotions = Promotions(LocalHub(settings.hub_folder), REPO)
    client = MlflowClient(f"sqlite:///{settings.mlflow_database}")
    client.create_registered_model(NAME)
    for word in ("one", "two"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "model").write_text(word)
        revision = promotions.hub.push("model", REPO, tmp_path / word, word, main=False).revision
        promotions.promote(Champion(revision=revision, package=f"package of {word}"), "pass", word)
        files = settings.mlflow_artifacts / "models" / word
        files.mkdir(parents=True)
        tags = {"digest": f"package of {word}", "hub_revision": revision}
        version = client.create_model_version(NAME, files.as_uri(), tags=tags)
        client.set_registered_model_alias(NAME, "champion", version.version)
    assert not [check for check in examine(settings) if NAME in check.found and check.state != "ok"]

    client.set_registered_model_alias(NAME, "champion", "1")
    (moved,) = [check for check in examine(settings) if NAME in check.found]
    assert moved.state == "fault"
    assert f"version 1 of {NAME}" in moved.found
    assert f"models history {REPO}" in moved.remedy

    foreign = client.create_model_version(
        NAME, tmp_path.as_uri(), tags={"digest": "package of two", "hub_revision": revision}
    )
    client.set_registered_model_alias(NAME, "champion", foreign.version)
    (elsewhere,) = [check for check in examine(settings) if NAME in check.found]
    assert elsewhere.state == "fault" and f"outside of {settings.mlflow_artifacts}" in elsewhere.found
