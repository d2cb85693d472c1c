"""Tracking against a real MLflow server: what is sent over REST and through MLflow's own client is the same."""

import getpass
import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.champions.registry import Registry
from infra.machine.processes import end_processes, start_process, still_running
from infra.machine.services import await_ready, servers
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.tracking.client import ClientRuns
from infra.tracking.connection import is_own_server
from infra.tracking.rest import RestRuns
from infra.tracking.tracker import Tracker
from infra.tracking.values import MetricPoint, Runs
from tests.conftest import ROOT
from tests.infra.artifacts import make_artifact
from tests.infra.ports import free_ports
from tests.unmeasured import unmeasured

BOTH = pytest.mark.parametrize("kind", [RestRuns, ClientRuns])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Iterator[Settings]:
    """A home whose MLflow server runs, as `stillhouse up` starts it, and whose services.json says so."""
    (port,) = free_ports(1)
    settings = Settings(home=tmp_path_factory.mktemp("served"), mlflow_port=port)
    settings.mlflow_artifacts.mkdir(parents=True)
    settings.mlflow_database.write_bytes(tracking_database.read_bytes())
    server = next(server for server in servers(settings) if server.name == "mlflow")
    log = settings.home / "mlflow.log"
    with unmeasured():
        process = start_process(log, server.command)
    await_ready(server, log, process)
    uri = f"http://127.0.0.1:{port}"
    told = {"pid": os.getpid(), "prefect_api_url": "http://127.0.0.1:9/api", "mlflow_tracking_uri": uri}
    settings.services_file.write_text(json.dumps(told))
    yield settings
    end_processes(still_running([process]))


@pytest.fixture
def uri(served: Settings) -> str:
    return f"http://127.0.0.1:{served.mlflow_port}"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return MlflowClient(uri)


@BOTH
def test_an_experiment_is_made_once_and_the_ui_opens_it_at_its_runs(
    kind: type[RestRuns | ClientRuns], uri: str, client: MlflowClient
) -> None:
    runs = kind(uri)
    name = f"once/{kind.__name__}"
    assert runs.experiment(name, None) == runs.experiment(name, None)
    assert client.get_experiment_by_name(name).tags["mlflow.experimentKind"] == "custom_model_development"


@BOTH
def test_a_run_arrives_with_everything_that_was_sent(
    kind: type[RestRuns | ClientRuns], uri: str, client: MlflowClient, tmp_path: Path
) -> None:
    runs: Runs = kind(uri)
    run = runs.create(runs.experiment("arrives", None), "train", {"digest": "first", "note": "ä b"})
    points = [MetricPoint("loss", 0.5, 1_700_000_000_000, 1), MetricPoint("loss", 0.25, 1_700_000_000_001, 2)]
    runs.log(run, points, [("temperature", "2.0"), ("note", "")])
    (tmp_path / "plot.txt").write_text("a plot")
    runs.keep(run, tmp_path / "plot.txt", "plots")
    runs.keep_text(run, '{"word": "ä"}', "config.json")
    runs.tag(run, {"stillhouse.hits": "x" * 5_000, "digest": "another"})
    runs.end(run, "FINISHED")
    told = client.get_run(run)
    assert told.info.run_name == "train"
    assert told.info.status == "FINISHED"
    assert told.info.end_time >= told.info.start_time > 1_700_000_000_000
    assert told.data.tags["digest"] == "another"
    assert told.data.tags["stillhouse.hits"] == "x" * 5_000
    assert told.data.tags["note"] == "ä b"
    assert told.data.params == {"temperature": "2.0", "note": ""}
    history = client.get_metric_history(run, "loss")
    assert [(metric.value, metric.step, metric.timestamp) for metric in history] == [
        (0.5, 1, 1_700_000_000_000),
        (0.25, 2, 1_700_000_000_001),
    ]
    assert [item.path for item in client.list_artifacts(run, "plots")] == ["plots/plot.txt"]
    assert client.download_artifacts(run, "config.json", str(tmp_path))
    assert (tmp_path / "config.json").read_text(encoding="utf-8") == '{"word": "ä"}'


@BOTH
def test_a_run_says_whose_it_is_and_of_what_code(
    kind: type[RestRuns | ClientRuns], uri: str, client: MlflowClient
) -> None:
    runs = kind(uri)
    told = client.get_run(runs.create(runs.experiment("origin", None), "train", {}))
    tags = told.data.tags
    assert tags["mlflow.user"] == told.info.user_id == getpass.getuser()
    assert tags["mlflow.source.type"] == "LOCAL"
    assert "/" not in tags["mlflow.source.name"]
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert tags["mlflow.source.git.commit"] == revision.stdout.strip()
    assert tags["mlflow.source.git.dirty"] in ("true", "false")


@BOTH
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_number_is_sent_as_it_is(
    kind: type[RestRuns | ClientRuns], value: float, uri: str, client: MlflowClient
) -> None:
    runs = kind(uri)
    run = runs.create(runs.experiment("no number", None), "train", {})
    runs.log(run, [MetricPoint("loss", value, 1, 0)], [])
    told = client.get_run(run).data.metrics["loss"]
    # SQL has no infinity: MLflow keeps the largest double in its place.
    assert math.isnan(told) if math.isnan(value) else told == math.copysign(1.7976931348623157e308, value)


@BOTH
def test_only_the_open_children_of_a_run_are_found(kind: type[RestRuns | ClientRuns], uri: str) -> None:
    runs = kind(uri)
    experiment = runs.experiment(f"children/{kind.__name__}", None)
    parent, other = runs.create(experiment, "flow", {}), runs.create(experiment, "flow", {})
    done, still_open = (runs.create(experiment, "stage", {"mlflow.parentRunId": parent}) for _ in range(2))
    runs.create(experiment, "stage", {"mlflow.parentRunId": other})
    runs.end(done, "FINISHED")
    assert runs.still_open(experiment, "mlflow.parentRunId", parent) == [still_open]


@BOTH
def test_versions_of_a_model_come_with_tags_and_aliases(
    kind: type[RestRuns | ClientRuns], uri: str, client: MlflowClient
) -> None:
    name = f"model-{kind.__name__}"
    runs = kind(uri)
    assert runs.versions(name) == []
    client.create_registered_model(name)
    assert runs.versions(name) == []
    first, second = (
        client.create_model_version(name, "s3://nowhere/model", tags={"digest": d}) for d in "ab"
    )
    client.set_registered_model_alias(name, "champion", first.version)
    found = {version.version: version for version in runs.versions(name)}
    assert found[str(first.version)].aliases == {"champion"}
    assert found[str(second.version)].aliases == frozenset()
    assert found[str(second.version)].tags == {"digest": "b"}


def test_an_alias_goes_to_the_newest_version_that_has_the_tags(
    served: Settings, client: MlflowClient
) -> None:
    client.create_registered_model("aliased")
    first, _, third = (
        client.create_model_version("aliased", "s3://nowhere/model", tags={"digest": d}) for d in "aba"
    )
    registry = Registry(served, "stillhouse/aliases")
    assert registry.point_alias("aliased", "champion", {"digest": "a"}) == str(third.version)
    assert client.get_model_version_by_alias("aliased", "champion").version == str(third.version)
    assert registry.point_alias("aliased", "champion", {"digest": "nobody's"}) is None
    assert registry.point_alias("unregistered", "champion", {"digest": "a"}) is None
    assert str(first.version) != str(third.version)


def test_our_own_server_is_asked_over_rest_and_any_other_through_the_client(
    served: Settings, tmp_path: Path
) -> None:
    assert is_own_server(served)
    assert not is_own_server(served.model_copy(update={"mlflow_uri": "https://mlflow.example"}))
    assert not is_own_server(Settings(home=tmp_path))


def test_a_batch_larger_than_the_server_takes_is_sent_in_parts(
    served: Settings, client: MlflowClient
) -> None:
    tracker = Tracker(served, "stillhouse/batches")
    run = tracker.start("train", config={f"field{number}": number for number in range(250)})
    assert run is not None
    tracker.log(run, [(f"metric{number}", 1.0, 0) for number in range(1_201)])
    told = client.get_run(run).data
    assert len(told.params) == 250
    assert len(told.metrics) == 1_201


def test_hits_that_a_tag_has_no_room_for_are_in_a_file(
    served: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    tracker, store = Tracker(served, "stillhouse/hits"), Store(Settings(home=tmp_path / "elsewhere"))
    run = tracker.start("flow")
    assert run is not None
    records = [make_artifact(store, "predict", {"rows": str(number)}) for number in range(100)]
    for record in records:
        tracker.hit(run, record)
    tracker.end(run)
    *shown, more = json.loads(client.get_run(run).data.tags["stillhouse.hits"])
    assert more == {"more": 100 - len(shown), "file": "hits.json"}
    every = json.loads(Path(client.download_artifacts(run, "hits.json", str(tmp_path))).read_text())
    assert every[: len(shown)] == shown
    assert [hit["key"] for hit in every] == [record.key[:12] for record in records]


def test_a_server_that_stops_answering_is_said_once(
    served: Settings, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    told = json.loads(served.services_file.read_text()) | {"mlflow_tracking_uri": f"http://127.0.0.1:{port}"}
    settings = Settings(home=tmp_path)
    settings.services_file.write_text(json.dumps(told))
    tracker = Tracker(settings, "stillhouse/down")
    assert tracker.start("a run") is None
    tracker.log("a run", [("loss", 1.0, 0)])
    tracker.flush()
    assert caplog.text.count("goes on without tracking") == 1
