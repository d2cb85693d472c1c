"""From anything a person has in hand back to the sources."""

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from infra.catalog.lineage import ancestors, find_record, lineage_tree
from infra.errors import ArtifactError
from infra.hub.local import LocalHub
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import InputRecord, Record
from tests.infra.artifacts import folder, make_artifact

TABLE = InputRecord(kind="SourceRef", uri="file:///data/queries.parquet", digest="ab" * 32)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(home=tmp_path / "home"))


@pytest.fixture
def model(store: Store) -> Record:
    """table -> extract -> curate -> train -> export; curate is used twice."""
    rows = make_artifact(store, "extract", {"rows.parquet": "rows"}, {"tables": TABLE})
    dataset = make_artifact(store, "curate", {"data/train.parquet": "train"}, {"rows": rows})
    teacher = make_artifact(store, "train", {"model.safetensors": "weights"}, {"dataset": dataset})
    graph = {"model.onnx": "a graph of many bytes", "tokenizer.json": "tokens"}
    return make_artifact(store, "export", graph, {"model": teacher, "dataset": dataset}, kind="OnnxModelRef")


def drawn(store: Store, record: Record) -> str:
    console = Console(width=400, color_system=None, record=True, quiet=False, file=None, stderr=True)
    with console.capture() as capture:
        console.print(lineage_tree(store, record))
    return capture.get()


def test_the_tree_goes_down_to_the_source_with_stage_digest_time_and_run(store: Store, model: Record) -> None:
    text = drawn(store, model)
    for part in (
        "export",
        "train",
        "curate",
        "extract",
        "run-of-train",
        model.digest[:12],
        "2020-01-01",
        TABLE.uri,
    ):
        assert part in text
    assert "SourceRef" in text


def test_what_comes_up_again_is_drawn_once(store: Store, model: Record) -> None:
    text = drawn(store, model)
    assert text.count("run-of-curate") == 1
    assert "drawn above" in text


def test_an_input_that_was_freed_is_named_as_such(store: Store, model: Record) -> None:
    (extract,) = store.records("extract")
    shutil.rmtree(folder(store, extract))
    assert "no longer in the store" in drawn(store, model)


def test_every_way_to_name_an_artifact_finds_it(store: Store, model: Record, tmp_path: Path) -> None:
    place = folder(store, model)
    copied = tmp_path / "elsewhere.onnx"
    shutil.copy(place / "model.onnx", copied)
    revision = LocalHub(store.settings.hub_folder).push("model", "me/intents", place, "first")
    ways = [
        f"artifact:export/{model.key[:KEY_LENGTH]}",
        str(place),
        str(place / "model.onnx"),
        str(copied),
        "me/intents",
        f"me/intents@{revision.revision[:12]}",
        revision.path,
        model.digest[:8],
        model.key[:8],
    ]
    assert {find_record(store, way).key for way in ways} == {model.key}


def test_a_folder_belongs_to_the_artifact_that_shares_most_bytes(
    store: Store, model: Record, tmp_path: Path
) -> None:
    make_artifact(store, "tokenize", {"tokenizer.json": "tokens"}, finished="2021-01-01T00:00:00+00:00")
    release = tmp_path / "release"
    (release / "onnx").mkdir(parents=True)
    (release / "README.md").write_text("a card made at publishing")
    (release / "tokenizer.json").write_text("tokens")
    (release / "onnx" / "model_quantized.onnx").write_text("a graph of many bytes")
    assert find_record(store, str(release)).stage == "export"


@pytest.mark.parametrize("target", ["ffffffff", "ab", "me/unknown"])
def test_what_means_nothing_is_refused_with_the_ways_to_name_one(
    store: Store, model: Record, target: str
) -> None:
    with pytest.raises(ArtifactError, match="Give a file"):
        find_record(store, target)


def test_a_file_that_was_not_made_here_is_said_so(store: Store, model: Record, tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_text("from somewhere else")
    with pytest.raises(ArtifactError, match="was not made here"):
        find_record(store, str(tmp_path / "foreign.onnx"))


def test_a_prefix_of_two_artifacts_is_refused_by_naming_both(store: Store) -> None:
    shared = make_artifact(store, "curate", {"a": "1"}, finished="2020-01-01T00:00:00+00:00")
    twin = shared.model_copy(update={"stage": "other", "digest": shared.digest[:8] + "0" * 56})
    store.folder("other", twin.key).mkdir(parents=True)
    store.commit(twin)
    with pytest.raises(ArtifactError, match=r"curate .*other|other .*curate"):
        find_record(store, shared.digest[:8])


def test_ancestors_hold_the_start_and_everything_below(store: Store, model: Record) -> None:
    assert ancestors(list(store.records()), [model]) == {record.key for record in store.records()}
    (dataset,) = store.records("curate")
    assert len(ancestors(list(store.records()), [dataset])) == 2
