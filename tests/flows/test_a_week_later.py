"""What both UIs say of a home's runs a week later: two tables, one of them stopped at the gate, one run twice."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest
from mlflow.tracking import MlflowClient
from starlette.testclient import TestClient

from infra.machine.report_server import make_app
from infra.settings import Settings, get_settings
from tests.flows.running import new_home, run
from tests.flows.tiny import FAIL, PASS, Tiny, rows, write_encoder, write_table

pytestmark = pytest.mark.slow

NAMED = ("--publish.name", "--release.name")


@dataclass(frozen=True)
class Week:
    """Three runs in one home: tickets, complaints (not released), tickets again."""

    home: Path
    settings: Settings
    codes: list[int]
    printed: list[str]

    @property
    def tracked(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.settings.mlflow_database}")

    def flow_runs(self) -> list[dict[str, Any]]:
        """Of this home, in the order in which they began."""
        ids = [
            folder.name
            for folder in self.settings.reports.iterdir()
            if folder.is_dir() and not folder.is_symlink()
        ]
        found = asked("flow_runs/filter", {"flow_runs": {"id": {"any_": ids}}, "sort": "START_TIME_ASC"})
        assert len(found) == len(ids)
        return found


def asked(path: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    """What Prefect's API answers."""
    answer = httpx.post(f"{os.environ['PREFECT_API_URL']}/{path}", json=content).raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def arguments(tiny: Tiny, margin: float) -> list[str]:
    """As a user types it who gives no names."""
    words = tiny.arguments(gate__margin=margin)
    return [
        word for one, word in zip(["", *words], words, strict=False) if word not in NAMED and one not in NAMED
    ]


@pytest.fixture(scope="module")
def week(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None, tracking_database: Path
) -> Iterator[Week]:
    folder = tmp_path_factory.mktemp("week")
    encoder = write_encoder(folder / "encoder")
    tickets = Tiny(encoder, write_table(folder / "tickets.csv", rows()))
    complaints = Tiny(encoder, write_table(folder / "complaints.csv", rows(200)))
    home = new_home(folder / "home", tracking_database)
    done = [
        run(home, arguments(tiny, margin))
        for tiny, margin in ((tickets, PASS), (complaints, FAIL), (tickets, PASS))
    ]
    yield Week(home, Settings(home=home), [code for code, _ in done], [printed for _, printed in done])
    get_settings.cache_clear()


def test_the_runs_end_as_the_gate_says(week: Week) -> None:
    assert week.codes == [0, 3, 0], "\n".join(week.printed)
    states = [(one["state_type"], one["state_name"]) for one in week.flow_runs()]
    assert states == [("COMPLETED", "Completed"), ("FAILED", "Not released"), ("COMPLETED", "Completed")]
    stopped = week.flow_runs()[1]["state"]["message"]
    assert "points of accuracy against the teacher" in stopped


def test_a_name_says_flow_table_and_what_was_asked_the_same_in_both_uis(week: Week) -> None:
    first, second, third = (one["name"] for one in week.flow_runs())
    assert first.startswith("end_to_end tickets ") and second.startswith("end_to_end complaints ")
    assert first == third != second
    (experiment,) = (one for one in week.tracked.search_experiments() if one.name == "stillhouse/end_to_end")
    runs = week.tracked.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    parents = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    assert [one.info.run_name for one in parents] == [first, second, third]
    assert {one.info.status for one in parents} == {"FINISHED"}
    assert [one.data.tags["stillhouse.verdict"] for one in parents] == ["pass", "fail", "pass"]
    tags = parents[0].data.tags
    assert tags["stillhouse.rows"] == "tickets.csv" and str(week.home) not in str(tags)
    assert (tags["stillhouse.dataset"], tags["stillhouse.model"]) == (
        "local/tickets",
        "local/tickets-classifier",
    )
    assert "max_length" in tags["stillhouse.sizes"] and tags["stillhouse.model_version"] == "1"
    children = [
        one.info.run_name for one in runs if one.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id
    ]
    assert len(children) == len(set(children)) and "predict: released" in children


def test_links_open_where_they_stand(week: Week) -> None:
    served = TestClient(make_app(week.settings))
    ids = {one["id"]: one["name"] for one in week.flow_runs()}
    artifacts = asked(
        "artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [*ids]}, "type": {"any_": ["markdown"]}}}
    )
    links = [one for one in artifacts if one["key"] == "end-to-end-report"]
    assert len(links) == 3
    for link in links:
        address = link["data"].partition("(")[2].rstrip(")")
        page = served.get(address)
        assert page.status_code == 200 and "Verdict" in page.text
    (experiment,) = (one for one in week.tracked.search_experiments() if one.name == "stillhouse/end_to_end")
    for one in week.tracked.search_runs([experiment.experiment_id]):
        if note := one.data.tags.get("mlflow.note.content"):
            assert served.get(note.partition("(")[2].partition(")")[0]).status_code == 200


def test_the_index_lists_every_run_and_latest_is_the_newest(week: Week) -> None:
    index = (week.settings.reports / "index.html").read_text()
    runs = week.flow_runs()
    places = [index.index(one["id"]) for one in runs]
    assert places == sorted(places, reverse=True)
    assert "local/complaints-classifier: not released" in index
    assert (week.settings.reports / "latest").readlink() == Path(runs[-1]["id"])


def test_two_tables_are_two_data_sets_and_two_models(week: Week) -> None:
    hub = week.home / "hub"
    assert sorted(path.name for path in (hub / "datasets" / "local").iterdir()) == ["complaints", "tickets"]
    models = {one.name: one for one in week.tracked.search_registered_models()}
    assert sorted(models) == ["local-complaints-classifier", "local-tickets-classifier"]
    versions = {name: week.tracked.search_model_versions(f"name = '{name}'") for name in models}
    assert {name: len(found) for name, found in versions.items()} == dict.fromkeys(models, 1)
    assert models["local-tickets-classifier"].aliases == {"challenger": 1, "champion": 1}
    assert models["local-complaints-classifier"].aliases == {"challenger": 1}


def test_a_registered_version_says_what_it_is(week: Week) -> None:
    (version,) = week.tracked.search_model_versions("name = 'local-tickets-classifier'")
    assert "local/tickets-classifier" in version.description
    assert version.tags["release"].startswith("local/tickets-classifier@")
    model = week.tracked.get_logged_model(version.source.removeprefix("models:/"))
    figures = {metric.key: metric.value for metric in model.metrics}
    assert figures["accuracy"] > 0 and figures["size_mb"] > 0
    mlflow.set_tracking_uri(f"sqlite:///{week.settings.mlflow_database}")
    loaded = mlflow.pyfunc.load_model("models:/local-tickets-classifier@champion")
    assert loaded.metadata.signature is not None
    answers = loaded.predict(["what is my balance", "please rain today"])
    assert list(answers.columns) == ["label", "score"] and len(answers) == 2
