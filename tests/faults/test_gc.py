"""What `gc` frees of all that grows, and what it never does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.champions.promotions import Champion, Promotions
from infra.cli.command import main
from infra.hub.local import LocalHub
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from tests.faults.aged import aged, made_long_ago
from tests.infra.artifacts import folder, make_artifact
from tests.infra.chain import ChainConfig, ChainResult, chain

pytestmark = pytest.mark.slow  # flows with a server and MLflow each
KEY = "0123456789abcdef0123"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(get_settings())


def rewrite(change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    return lambda path: path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.mark.parametrize(
    "spoil",
    [
        rewrite(lambda told: told | {"schema": 1000}),
        rewrite(lambda told: {name: told[name] for name in told if name != "libraries"}),
        rewrite(lambda told: told | {"key": "f" * 64}),
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"\xff\xfe"),
    ],
    ids=["of a newer schema", "of a foreign version", "of another key", "cut short", "not text"],
)
def test_what_cannot_be_read_is_kept_and_said(
    store: Store, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object]
) -> None:
    rows = make_artifact(store, "curate", {"rows": "rows"})
    model = make_artifact(store, "train", {"weights": "w"}, {"dataset": rows})
    made_long_ago(folder(store, rows) / "record.json")
    spoil(folder(store, model) / "record.json")
    aged(folder(store, model))
    assert main(["artifacts", "gc"]) == 0
    assert (folder(store, model) / "weights").is_file()
    assert (
        f"artifacts/train/{model.key[:20]} has a record that this version cannot read"
        in capsys.readouterr().out
    )


def test_what_a_record_of_a_newer_version_was_made_from_is_kept(store: Store) -> None:
    rows = make_artifact(store, "curate", {"rows": "rows"})
    model = make_artifact(store, "train", {"weights": "w"}, {"dataset": rows})
    for record in (rows, model):
        made_long_ago(folder(store, record) / "record.json")
    rewrite(lambda told: told | {"schema": 1000})(folder(store, model) / "record.json")
    aged(folder(store, model))
    main(["artifacts", "gc"])
    assert (folder(store, rows) / "rows").is_file()
    assert (folder(store, model) / "weights").is_file()


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_hit_of_this_morning_stays_however_old_it_is(home: Path) -> None:
    chain(ChainConfig())
    for path in home.glob("artifacts/*/*/record.json"):
        made_long_ago(path)
    chain(ChainConfig())
    main(["artifacts", "gc", "--keep-days", "1"])
    assert len(list(home.glob("artifacts/*/*/record.json"))) == 2


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("something")
    return path


@pytest.mark.parametrize(
    ("old", "goes"),
    [
        ("reports/5f0c1a9e-run/report.html", "reports/5f0c1a9e-run"),
        ("prefect/results/0123456789abcdef", "prefect/results/0123456789abcdef"),
        (f"search/{KEY}/journal.log", f"search/{KEY}"),
        ("logs/prefect-4711.log", "logs/prefect-4711.log"),
        ("runs/.5f0c1a9e.json.4711", "runs/.5f0c1a9e.json.4711"),
        ("hub/models/me/intents/refs/.main.4711", "hub/models/me/intents/refs/.main.4711"),
        (f"locks/{KEY}.lock", f"locks/{KEY}.lock"),
    ],
    ids=[
        "reports",
        "results of Prefect",
        "searches",
        "logs",
        "half a marker",
        "half a reference",
        "lock files",
    ],
)
def test_what_grows_beside_the_artifacts_goes_after_the_days_given(home: Path, old: str, goes: str) -> None:
    young, path = put(home / old), home / goes
    if KEY not in goes or "search" in goes:  # Locks and what killed stages left have no age.
        main(["artifacts", "gc"])
        assert young.is_file()
    aged(path)
    main(["artifacts", "gc"])
    assert not path.exists()


def test_gc_says_bytes_by_kind(home: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    aged(put(home / "reports" / "run" / "report.html").parent).joinpath("big").write_bytes(b"x" * 2_000_000)
    aged(home / "reports")
    made_long_ago(folder(store, make_artifact(store, "train", {"w": "1" * 3_000_000})) / "record.json")
    main(["artifacts", "gc"])
    said = capsys.readouterr().out.splitlines()[-1]
    assert "Freed 5.0 MB" in said
    assert "artifacts 3.0" in said
    assert "reports 2.0" in said


def release(store: Store, word: str) -> Record:
    """Publish a model and make it champion."""
    record = make_artifact(store, "package", {"model.onnx": word}, kind="ReleaseRef")
    hub = LocalHub(store.settings.hub_folder)
    pushed = hub.push("model", "me/intents", folder(store, record), word, main=False)
    champion = Champion(revision=pushed.revision, package=record.digest)
    assert Promotions(hub, "me/intents").promote(champion, "pass", "better")
    return record


def test_snapshots_that_no_kept_release_is_go_and_the_way_back_stays(store: Store) -> None:
    for word in ("first", "second", "third"):
        release(store, word)
    hub = LocalHub(store.settings.hub_folder)
    third, second, first = hub.revisions("model", "me/intents")
    aged(store.settings.hub_folder)
    main(["artifacts", "gc", "--keep-releases", "1"])
    assert [item.revision for item in hub.revisions("model", "me/intents")] == [
        third.revision,
        second.revision,
    ]
    promotions = Promotions(hub, "me/intents")
    promotions.roll_back(promotions.next_rollback("it harms"))
    assert hub.main("model", "me/intents") == second.revision
    assert not Path(first.path).exists()


def runs(home: Path) -> dict[str, str]:
    """Every MLflow run by its id, with its name."""
    client = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("stillhouse/chain")
    assert experiment is not None
    return {run.info.run_id: run.info.run_name for run in client.search_runs([experiment.experiment_id])}


def tracked(result: ChainResult, store: Store) -> set[str]:
    """The run of a flow, and those that its artifacts name."""
    records = {record.digest: record for record in store.records()}
    named = {str(records[outcome.digest].mlflow_run_id) for outcome in result.outcomes}
    return named | {str(result.mlflow_run_id)}


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_mlflow_runs_go_but_for_those_that_a_kept_record_names(home: Path, store: Store) -> None:
    kept = chain(ChainConfig(word="published"))
    named = tracked(kept, store)
    assert kept.words is not None
    LocalHub(store.settings.hub_folder).push("dataset", "me/words", store.path(kept.words), "words")
    chain(ChainConfig(word="published"))  # one run more: nothing names it
    dropped = chain(ChainConfig(word="dropped"))
    files = home / "mlflow" / "artifacts" / str(dropped.mlflow_run_id) / "artifacts"
    put(files / "report.html")
    assert len(runs(home)) == 7
    assert main(["artifacts", "gc", "--keep-days", "0"]) == 0
    assert set(runs(home)) == named
    assert not files.parent.exists()
    assert store.find("repeat", kept.outcomes[1].key).record is not None


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_the_report_of_a_kept_run_stays_and_others_go(home: Path, store: Store) -> None:
    kept = chain(ChainConfig(word="published"))
    assert kept.words is not None
    LocalHub(store.settings.hub_folder).push("dataset", "me/words", store.path(kept.words), "words")
    client = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db")
    flow_run = client.get_run(str(kept.mlflow_run_id)).data.tags["prefect.flow_run_id"]
    for name in (flow_run, "5f0c1a9e"):
        put(home / "reports" / name / "report.html")
    aged(home / "reports")
    main(["artifacts", "gc", "--keep-days", "0"])
    assert [path.name for path in (home / "reports").iterdir()] == [flow_run]
    shutil.rmtree(home / "reports")
