"""From a repository, a licence or an artifact onwards: all that was made of it, and what to run anew."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from infra.catalog.descendants import descent, descent_tree, is_source, told
from infra.errors import ArtifactError
from infra.hub.local import LocalHub
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.record import Record
from tests.infra.artifacts import folder, make_artifact


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Settings(home=tmp_path / "home"))


def corpus(store: Store, hour: int, repositories: dict[str, int], licences: dict[str, int]) -> Record:
    """A corpus that says what it holds, of an extract."""
    rows = make_artifact(store, "extract", {"rows": f"{hour}"}, finished=f"2020-01-01T{hour:02}:00:00")
    held = json.dumps({"repo": repositories, "licence": licences})
    files = {"data": f"files {hour}", "contains.json": held}
    return make_artifact(
        store, "curate_code", files, {"rows": rows}, finished=f"2020-01-01T{hour + 1:02}:00:00"
    )


def trained(store: Store, hour: int, dataset: Record) -> tuple[Record, Record, Record]:
    """A tokenizer, a model that has it and the data, and a release."""
    name = dataset.digest[:6]
    tokenizer = make_artifact(
        store, "train_bpe", {"tokens": name}, {"dataset": dataset}, finished=f"2020-01-01T{hour:02}:00:00"
    )
    given = {"dataset": dataset, "tokenizer": tokenizer}
    files = {"weights": name, "README.md": "the same everywhere"}
    model = make_artifact(store, "pretrain", files, given, finished=f"2020-01-01T{hour + 1:02}:00:00")
    release = make_artifact(
        store, "release", {"card": name}, {"model": model}, "ReleaseRef", f"2020-01-01T{hour + 2:02}:00:00"
    )
    return tokenizer, model, release


def drawn(store: Store, target: str) -> str:
    console = Console(width=400, color_system=None, stderr=True)
    with console.capture() as capture:
        found = descent(store, target)
        console.print(descent_tree(store, found), *told(store, found), sep="\n")
    return capture.get()


@pytest.mark.parametrize("target", ["repo:one/a", "repo:ONE/A", "repository:One/a", "licence:GPL-3.0"])
def test_everything_made_of_a_corpus_that_holds_it_is_found_and_nothing_else(
    store: Store, target: str
) -> None:
    mine = corpus(store, 0, {"One/a": 3, "two/b": 4}, {"mit": 4, "gpl-3.0": 3})
    others = corpus(store, 2, {"two/b": 4}, {"mit": 4})
    made, not_made = trained(store, 4, mine), trained(store, 8, others)
    found = descent(store, target)
    assert [(record.key, count) for record, count in found.holders] == [(mine.key, 3)]
    assert {record.key for record in found.affected} == {mine.key, *(record.key for record in made)}
    assert found.stages == ("curate_code", "train_bpe", "pretrain", "release")
    text = drawn(store, target)
    assert not any(record.digest[:12] in text for record in not_made)
    assert (
        "3 artifacts were made of it. To make anew, in this order: curate_code, train_bpe, pretrain, release."
        in text
    )
    assert "take it out of rows of curate_code: artifact:extract/" in text


def test_what_has_two_of_them_as_inputs_is_drawn_once(store: Store) -> None:
    trained(store, 4, corpus(store, 0, {"one/a": 3}, {}))
    text = drawn(store, "repo:one/a")
    assert text.count("run-of-pretrain") == 1 and "drawn above" in text


def test_a_published_copy_is_named_and_a_shared_file_gives_nobody_away(store: Store) -> None:
    hub = LocalHub(store.settings.hub_folder)
    mine, others = corpus(store, 0, {"one/a": 3}, {}), corpus(store, 2, {"two/b": 3}, {})
    for name, dataset, hour in (("me/mine", mine, 4), ("me/others", others, 8)):
        hub.push("model", name, folder(store, trained(store, hour, dataset)[1]), "first")
    text = drawn(store, "repo:one/a")
    assert "published: model me/mine@" in text and "me/others" not in text


def test_an_artifact_has_descendants_too(store: Store) -> None:
    mine = corpus(store, 0, {"one/a": 3}, {})
    tokenizer, model, release = trained(store, 4, mine)
    found = descent(store, tokenizer.digest[:12])
    assert [record.key for record in found.affected] == [tokenizer.key, model.key, release.key]
    assert "take it out" not in drawn(store, tokenizer.digest[:12])


def test_what_was_made_of_equal_content_counts_whatever_it_is_called(store: Store) -> None:
    mine = corpus(store, 0, {"one/a": 3}, {})
    copied = mine.model_copy(update={"stage": "published", "key": "f" * 64})
    make_artifact(store, "pretrain", {"weights": "x"}, {"dataset": copied}, finished="2020-01-02T00:00:00")
    assert descent(store, "repo:one/a").stages == ("curate_code", "pretrain")


def test_nothing_holds_it_says_how_many_were_looked_at_and_what_is_alike(store: Store) -> None:
    corpus(store, 0, {"one/alpha": 3}, {"mit": 3})
    make_artifact(store, "curate_code", {"data": "of an older version"})
    with pytest.raises(
        ArtifactError,
        match=r"nothing here holds repo:one/alpah: 1 artifacts \(curate_code\).*Closest: one/alpha\. 1 more",
    ):
        descent(store, "repo:one/alpah")
    with pytest.raises(ArtifactError, match=r"'person' is no kind of source: expected one of licence, repo"):
        descent(store, "person:me")


def test_where_nothing_says_what_it_holds_that_is_said(store: Store) -> None:
    make_artifact(store, "curate", {"a": "b"})
    with pytest.raises(ArtifactError, match=r"no artifact here says what it holds, .* licence:mit"):
        descent(store, "license:mit")


def test_a_declaration_that_cannot_be_read_is_an_error(store: Store) -> None:
    record = corpus(store, 0, {"one/a": 3}, {})
    (folder(store, record) / "contains.json").write_text("[]")
    with pytest.raises(ArtifactError, match=r"contains\.json cannot be read .*made curate_code again"):
        descent(store, "repo:one/a")


@pytest.mark.parametrize(
    "target", ["artifact:curate/abc", "file:///a", "/a:b", "abcdef12", "me/intents@main", "http://a"]
)
def test_names_of_artifacts_are_no_sources(target: str) -> None:
    assert not is_source(target)
