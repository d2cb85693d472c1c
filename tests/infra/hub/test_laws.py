"""What holds for every Hub, a folder or a server: revisions, `main`, tags, sources, the journal."""

import re
from pathlib import Path

import pytest

from infra.errors import HubError
from infra.hub.local import LocalHub
from infra.hub.protocol import Hub, JournalConflict
from infra.hub.remote import RemoteHub
from tests.infra.hub.folders import REPO, files_in, folder_of, shards


def give_tag(hub: Hub, tag: str, revision: str) -> None:
    """As a person does: in the folder, or on the Hub's page."""
    if isinstance(hub, LocalHub):
        place = hub.home("model", REPO) / "refs" / "tags" / tag
        place.parent.mkdir(exist_ok=True)
        place.write_text(revision)
    elif isinstance(hub, RemoteHub):
        hub.repository("model", REPO).tag(tag, revision)


def test_what_was_pushed_comes_back_under_main(hub: Hub, tmp_path: Path) -> None:
    source = shards(tmp_path / "a")
    pushed = hub.push("dataset", REPO, source, "first")
    assert re.fullmatch(r"[0-9a-f]{40}", pushed.revision) and pushed.message == "first"
    assert hub.main("dataset", REPO) == pushed.revision
    assert files_in(hub.resolve("dataset", REPO)) == files_in(source)
    assert files_in(hub.resolve("dataset", REPO, pushed.revision)) == files_in(source)


def test_files_that_the_new_state_lacks_are_gone(hub: Hub, tmp_path: Path) -> None:
    hub.push("dataset", REPO, shards(tmp_path / "a", count=3), "three")
    hub.push("dataset", REPO, shards(tmp_path / "b", count=2), "two")
    assert files_in(hub.resolve("dataset", REPO)) == files_in(tmp_path / "b")


def test_the_same_bytes_are_the_same_revision(hub: Hub, tmp_path: Path) -> None:
    first = hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first")
    again = hub.push("model", REPO, folder_of(tmp_path / "b", card="x"), "again")
    assert again.revision == first.revision
    assert [item.message for item in hub.revisions("model", REPO)] == ["first"]


def test_main_moves_and_older_revisions_and_tags_stay(hub: Hub, tmp_path: Path) -> None:
    old = hub.push("model", REPO, folder_of(tmp_path / "a", card="old"), "old")
    give_tag(hub, "v1", old.revision)
    new = hub.push("model", REPO, folder_of(tmp_path / "b", card="new"), "new")
    assert [item.revision for item in hub.revisions("model", REPO)] == [new.revision, old.revision]
    assert files_in(hub.resolve("model", REPO)) == {"card": "new"}
    assert files_in(hub.resolve("model", REPO, "v1")) == {"card": "old"}
    assert files_in(hub.resolve("model", REPO, old.revision[:8])) == {"card": "old"}
    back = hub.push("model", REPO, folder_of(tmp_path / "c", card="old"), "back")
    assert back.revision == old.revision == hub.main("model", REPO)
    assert files_in(hub.resolve("model", REPO)) == {"card": "old"}


def test_a_tag_that_is_given_again_moves(hub: Hub, tmp_path: Path) -> None:
    for name in ("old", "new"):
        pushed = hub.push("model", REPO, folder_of(tmp_path / name, card=name), name)
        give_tag(hub, "v1", pushed.revision)
    assert files_in(hub.resolve("model", REPO, "v1")) == {"card": "new"}


def test_main_is_known_by_what_it_was_made_from(hub: Hub, tmp_path: Path) -> None:
    assert hub.made_from("model", REPO, "key") is None
    folder = folder_of(tmp_path / "a", card="x")
    pushed = hub.push("model", REPO, folder, "first", source="key")
    assert hub.made_from("model", REPO, "key") == pushed
    assert hub.made_from("model", REPO, "another") is None
    assert hub.made_from("dataset", REPO, "key") is None
    hub.push("model", REPO, folder, "the same bytes", source="newer")
    assert hub.made_from("model", REPO, "newer") is not None
    assert len(hub.revisions("model", REPO)) == 1
    hub.push("model", REPO, folder_of(tmp_path / "b", card="new"), "second", source="other")
    assert hub.made_from("model", REPO, "newer") is None


def test_what_is_published_beside_main_becomes_main_when_it_is_told_to(hub: Hub, tmp_path: Path) -> None:
    old = hub.push("model", REPO, folder_of(tmp_path / "a", card="old", gone="x"), "old", source="old key")
    new = hub.push("model", REPO, folder_of(tmp_path / "b", card="new"), "new", source="new key", main=False)
    assert hub.main("model", REPO) == old.revision and "gone" in files_in(hub.resolve("model", REPO))
    assert hub.made_from("model", REPO, "new key") is None
    assert hub.made_from("model", REPO, "old key") == old
    with hub.locked("model", REPO):
        hub.set_main("model", REPO, new.revision)
    assert files_in(hub.resolve("model", REPO)) == {"card": "new"} and hub.main("model", REPO) == new.revision
    assert hub.made_from("model", REPO, "new key") == new
    assert {item.revision for item in hub.revisions("model", REPO)} == {old.revision, new.revision}


def test_a_first_push_beside_main_makes_no_main(hub: Hub, tmp_path: Path) -> None:
    pushed = hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first", main=False)
    assert hub.main("model", REPO) is None and hub.is_whole("model", REPO, pushed.revision)
    with pytest.raises(HubError, match="no revision 'main'"):
        hub.resolve("model", REPO)


def test_the_journal_grows_with_main_and_is_no_published_file(hub: Hub, tmp_path: Path) -> None:
    revisions = [
        hub.push("model", REPO, folder_of(tmp_path / word, card=word), word, main=False).revision
        for word in ("one", "two")
    ]
    assert hub.journal("model", REPO) == b""
    with hub.locked("model", REPO):
        hub.set_main("model", REPO, revisions[0], b"first\n")
        hub.set_main("model", REPO, revisions[1], b"second\n", b"first\n")
        hub.set_main("model", REPO, revisions[1], b"third\n", b"first\nsecond\n")
        with pytest.raises(JournalConflict):
            hub.set_main("model", REPO, revisions[0], b"fourth\n", b"first\n")
    assert hub.journal("model", REPO) == b"first\nsecond\nthird\n"
    assert hub.main("model", REPO) == revisions[1]
    assert files_in(hub.resolve("model", REPO)) == {"card": "two"}
    hub.push("model", REPO, folder_of(tmp_path / "three", card="three"), "three")
    assert hub.journal("model", REPO) == b"first\nsecond\nthird\n"


def test_models_and_datasets_are_apart(hub: Hub, tmp_path: Path) -> None:
    hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "model")
    assert hub.revisions("dataset", REPO) == ()
    assert [hub.repositories("model"), hub.repositories("dataset")] in (
        [("local/intents",), ()],
        [("org/intents",), ()],
    )
    with pytest.raises(HubError, match=r"dataset (local|org)/intents has no revision 'main'"):
        hub.resolve("dataset", REPO)


def test_the_digests_of_a_revisions_files_are_known(hub: Hub, tmp_path: Path) -> None:
    from infra.files import file_digest

    source = shards(tmp_path / "a")
    pushed = hub.push("dataset", REPO, source, "first")
    expected = {file_digest(path) for path in source.rglob("*") if path.is_file()}
    assert hub.file_digests("dataset", REPO, pushed.revision) == expected


@pytest.mark.parametrize("repo", ["intents", "a/b/c", "../b", "a/..", "", "a/.hidden", "a b/c"])
def test_a_name_that_is_no_repository_is_refused(hub: Hub, tmp_path: Path, repo: str) -> None:
    with pytest.raises(HubError, match="expected owner/name"):
        hub.push("model", repo, folder_of(tmp_path / "a", card="x"), "")
    assert not list(tmp_path.glob("hub/*")) and not list(tmp_path.glob("cache/*"))


def test_a_revision_cannot_name_a_file_outside(hub: Hub, tmp_path: Path) -> None:
    hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
    with pytest.raises(HubError, match="no revision"):
        hub.resolve("model", REPO, "../../main")


def test_an_empty_folder_is_not_published(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(HubError, match="has no files"):
        hub.push("model", REPO, tmp_path / "empty", "")


def test_milestones_of_one_run_stay_in_their_order_and_pushed_again_change_nothing(
    hub: Hub, tmp_path: Path
) -> None:
    def push() -> list[str]:
        folders = [folder_of(tmp_path / step, card=step) for step in ("step 1", "step 2", "step 3")]
        return [
            hub.push("model", REPO, folder, folder.name, source="run", main=False).revision
            for folder in folders
        ]

    first = push()
    revisions = hub.revisions("model", REPO)
    assert push() == first and len(set(first)) == 3
    assert hub.revisions("model", REPO) == revisions
    assert [found.message for found in revisions] == ["step 3", "step 2", "step 1"]
    assert hub.main("model", REPO) is None
