"""The Hub on the network: what only it has. Branches, privacy, commits of others, downloads, refusals."""

import socket
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.errors import HubError
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import REPO, TOKEN, files_in, folder_of, shards

pytestmark = pytest.mark.slow


def test_a_local_name_belongs_to_the_owner_of_the_settings_and_is_private(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    pushed = remote.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first")
    assert pushed.repo == "org/intents"
    assert pushed.path == f"{server.endpoint}/org/intents/tree/{pushed.revision}"
    assert server.repos["model", "org/intents"].private
    remote.push("dataset", "team/rows", tmp_path / "a", "first")
    assert ("dataset", "team/rows") in server.repos


def test_repositories_are_public_when_the_settings_say_so(server: HubServer, tmp_path: Path) -> None:
    public = RemoteHub(server.endpoint, "org", tmp_path / "cache", private=False, token=SecretStr(TOKEN))
    public.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first")
    assert not server.repos["model", "org/intents"].private


def test_a_push_is_one_commit_and_the_same_bytes_are_none(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    pushed = remote.push("dataset", REPO, shards(tmp_path / "a"), "first", source="key")
    repo = server.repos["dataset", "org/intents"]
    assert len(repo.log("main")) == 2  # the Hub's own first one, and ours
    message = repo.commit_of("main").message
    assert "Stillhouse-Source: key" in message and "Stillhouse-Content: " in message
    server.begin()
    assert remote.push("dataset", REPO, shards(tmp_path / "b"), "again", source="key") == pushed
    assert len(repo.log("main")) == 2 and not server.uploads
    assert not [request for request in server.requests if "/commit/" in request or "preupload" in request]


def test_a_changed_card_sends_no_shard(remote: RemoteHub, server: HubServer, tmp_path: Path) -> None:
    remote.push("dataset", REPO, shards(tmp_path / "a"), "first")
    server.begin()
    (tmp_path / "a" / "README.md").write_text("another card")
    remote.push("dataset", REPO, tmp_path / "a", "second")
    assert not server.uploads
    assert files_in(remote.resolve("dataset", REPO)) == files_in(tmp_path / "a")


def test_milestones_are_commits_on_the_branch_of_their_run(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    for step in ("step 1", "step 2"):
        remote.push("model", REPO, folder_of(tmp_path / step, card=step), step, source="run", main=False)
    repo = server.repos["model", "org/intents"]
    (branch,) = [name for name in repo.branches if name != "main"]
    assert len(repo.log(branch)) == len(repo.log("main")) + 2
    assert repo.commit_of(branch).title == "step 2"


def test_each_training_run_has_a_branch_and_each_revision_a_tag_by_its_content(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    one = remote.push("model", REPO, folder_of(tmp_path / "a", card="1"), "one", source="run 1", main=False)
    two = remote.push("model", REPO, folder_of(tmp_path / "b", card="2"), "two", source="run 2", main=False)
    repo = server.repos["model", "org/intents"]
    branches = {name: oid for name, oid in repo.branches.items() if name != "main"}
    assert all(name.startswith("run-") for name in branches)
    assert set(branches.values()) == {one.revision, two.revision}
    assert {one.revision, two.revision} == set(repo.tags.values())
    assert all(name.startswith("content-") for name in repo.tags)
    name = next(name for name, oid in branches.items() if oid == two.revision)
    assert files_in(remote.resolve("model", REPO, name)) == {"card": "2"}


def test_going_back_sends_no_bytes_and_rewrites_no_history(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    first = remote.push("model", REPO, folder_of(tmp_path / "a", **{"model.onnx": "1" * 9_000}), "one")
    remote.push("model", REPO, folder_of(tmp_path / "b", **{"model.onnx": "2" * 9_000}), "two")
    repo = server.repos["model", "org/intents"]
    before = [commit["id"] for commit in repo.log("main")]
    server.begin()
    remote.set_main("model", REPO, first.revision)
    assert not server.uploads and [commit["id"] for commit in repo.log("main")][1:] == before
    assert remote.main("model", REPO) == first.revision


def test_a_commit_by_somebody_else_is_a_revision_of_its_own(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    remote.push("model", REPO, folder_of(tmp_path / "a", card="ours"), "ours", source="key")
    theirs = server.repos["model", "org/intents"].put({"card": b"edited in the browser"})
    assert remote.main("model", REPO) == theirs and remote.made_from("model", REPO, "key") is None
    assert files_in(remote.resolve("model", REPO)) == {"card": "edited in the browser"}
    remote.push("model", REPO, tmp_path / "a", "ours", source="key")
    assert files_in(remote.resolve("model", REPO)) == {"card": "ours"}


def test_a_moved_branch_changes_nothing_that_was_pinned(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    pushed = remote.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first")
    server.repos["model", "org/intents"].put({"card": b"moved"})
    assert files_in(remote.resolve("model", REPO, pushed.revision)) == {"card": "x"}


def test_a_branch_that_moves_while_it_is_fetched_gives_the_commit_that_it_was_at(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    remote.push("dataset", REPO, shards(tmp_path / "a"), "first")
    server.before["/resolve/"] = lambda: server.repos["dataset", "org/intents"].put({"card": b"moved"})
    assert files_in(remote.resolve("dataset", REPO)) == files_in(tmp_path / "a")
    assert files_in(remote.resolve("dataset", REPO)) == {"card": "moved"}


def test_what_was_fetched_before_needs_no_network(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    pushed = remote.push("dataset", REPO, shards(tmp_path / "a"), "first")
    folder = remote.resolve("dataset", REPO, pushed.revision)
    server.begin()
    assert remote.resolve("dataset", REPO, pushed.revision) == folder
    assert server.requests == []


@pytest.mark.parametrize("name", [".gitattributes", "promotions.jsonl"])
def test_the_hubs_own_files_are_not_published_over(remote: RemoteHub, tmp_path: Path, name: str) -> None:
    with pytest.raises(HubError, match=r"cannot be published: expected other names"):
        remote.push("model", REPO, folder_of(tmp_path / "a", **{name: "x"}), "")


def test_somebody_else_publishing_other_files_at_the_same_time_is_no_loss_of_theirs(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    remote.push("dataset", REPO, shards(tmp_path / "a"), "first")
    repo, theirs = server.repos["dataset", "org/intents"], {"README.md": b"theirs"}
    server.before["preupload"] = lambda: repo.put(theirs)
    with pytest.raises(HubError, match=r"got other files while it was written: .* Nothing was changed"):
        remote.push("dataset", REPO, shards(tmp_path / "c", "other"), "ours")
    assert repo.files() == theirs
    server.begin()
    remote.push("dataset", REPO, tmp_path / "c", "ours, after a look")
    assert files_in(remote.resolve("dataset", REPO)) == files_in(tmp_path / "c") and not server.uploads


def test_somebody_else_publishing_the_same_files_is_the_same_revision(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    remote.push("model", REPO, folder_of(tmp_path / "a", card="old"), "first")
    repo = server.repos["model", "org/intents"]
    theirs: list[str] = []
    server.before["preupload"] = lambda: theirs.append(repo.put({"card": b"new"}))
    pushed = remote.push("model", REPO, folder_of(tmp_path / "c", card="new"), "ours")
    assert [pushed.revision] == theirs == [remote.main("model", REPO)]


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        (None, "wants a token, and none is set.*STILLHOUSE_HUB_TOKEN"),
        ("hf_unknown_canary", "does not know the token.*STILLHOUSE_HUB_TOKEN"),
        ("hf_readonly", "the token may not do that.*write access"),
    ],
)
def test_a_token_that_will_not_do_says_which_would(
    server: HubServer, tmp_path: Path, token: str | None, remedy: str
) -> None:
    hub = RemoteHub(server.endpoint, "org", tmp_path / "cache", token=SecretStr(token) if token else None)
    with pytest.raises(HubError, match=remedy):
        hub.push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
    assert server.repos == {}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_no_message_holds_the_token_though_the_server_sends_it_back(
    remote: RemoteHub, server: HubServer, tmp_path: Path, status: int
) -> None:
    folder = folder_of(tmp_path / "a", card="x")
    remote.push("model", REPO, folder, "first")
    for at in range(14):
        server.begin()
        server.fail(at, status, message=f"your token {TOKEN} will not do")
        (folder / "card").write_text(f"{at} {status}")
        try:
            remote.push("model", REPO, folder, "second")
        except HubError as error:
            assert TOKEN not in "".join(traceback.format_exception(error))
    assert TOKEN not in repr(remote)


def test_no_room_is_said_as_such(remote: RemoteHub, server: HubServer, tmp_path: Path) -> None:
    remote.push("model", REPO, folder_of(tmp_path / "a", card="x"), "first")
    server.begin()
    server.fail("/commit/", 403, message="Private repository storage limit reached")
    with pytest.raises(HubError, match=r"no room left.*Free space there"):
        remote.push("model", REPO, folder_of(tmp_path / "a", card="y"), "second")


def test_a_repository_that_is_not_there_and_a_hub_that_does_not_answer(
    remote: RemoteHub, tmp_path: Path
) -> None:
    assert remote.revisions("model", REPO) == () and remote.journal("model", REPO) == b""
    with pytest.raises(HubError, match=r"no revision 'v9'.*none at all"):
        remote.resolve("model", REPO, "v9")
    with pytest.raises(HubError, match=r"no such repository or revision"):
        remote.resolve("model", REPO, "a" * 40)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    absent = RemoteHub(closed, "org", tmp_path / "cache")
    with pytest.raises(HubError, match=r"does not answer.*Check the network"):
        absent.resolve("model", REPO, "v1")
