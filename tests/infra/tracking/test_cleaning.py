"""Which MLflow runs of a home may go: none that is open, that a model was registered from, or that is another home's."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.settings import Settings
from infra.tracking.cleaning import find_old_runs


@pytest.fixture
def settings(tracked_home: Path) -> Settings:
    return Settings(home=tracked_home)


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    client = MlflowClient(f"sqlite:///{settings.mlflow_database}")
    client.create_experiment("ours", settings.mlflow_artifacts.as_uri())
    return client


def make(
    client: MlflowClient, parent: str | None = None, ended: bool = True, experiment: str = "ours"
) -> str:
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    tags = {"mlflow.parentRunId": parent} if parent else {}
    run = str(client.create_run(found.experiment_id, tags=tags).info.run_id)
    if ended:
        client.set_terminated(run)
    return run


def old(settings: Settings, named: str = "", days: float = 0.0) -> set[str]:
    return {run.id for run in find_old_runs(settings, days).without([named]).old}


def test_a_run_that_is_named_stays_with_the_run_it_belongs_to(
    settings: Settings, client: MlflowClient
) -> None:
    parent = make(client)
    named, other = make(client, parent), make(client, parent)
    assert old(settings) == {parent, named, other}
    assert old(settings, named) == {other}


def test_a_run_under_way_stays_with_its_stages(settings: Settings, client: MlflowClient) -> None:
    under_way = make(client, ended=False)
    make(client, under_way)
    assert old(settings) == set()


def test_a_young_run_stays(settings: Settings, client: MlflowClient) -> None:
    make(client)
    assert old(settings, days=1) == set()


def test_a_run_that_a_model_was_registered_from_stays(settings: Settings, client: MlflowClient) -> None:
    run, other = make(client), make(client)
    client.create_registered_model("intents")
    client.create_model_version("intents", (settings.mlflow_artifacts / run).as_uri(), run)
    assert old(settings) == {other}


def test_a_run_whose_files_are_in_another_home_stays(
    settings: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    """As in a home that was copied: the database still names the folder of the original."""
    client.create_experiment("theirs", (tmp_path / "original" / "mlflow" / "artifacts").as_uri())
    make(client, experiment="theirs")
    assert old(settings) == set()


def test_deleted_runs_are_gone_with_their_files_and_only_they(
    settings: Settings, client: MlflowClient
) -> None:
    goes, stays = make(client), make(client)
    for run in (goes, stays):
        client.log_text(run, "report", "report.html")
    settings.locks.mkdir(parents=True)
    assert find_old_runs(settings, 0.0).without([stays]).delete()
    assert {path.name for path in settings.mlflow_artifacts.iterdir()} == {stays}
    assert {run.id for run in find_old_runs(settings, 0.0).runs} == {stays}
    client.delete_run(stays)  # by hand, in the UI: it lies in the bin, and goes in its time
    assert old(settings) == {stays}
    assert old(settings, days=1) == set()
