"""Every request of a push, a promotion and a download goes wrong once: the end is the same, and nothing is there twice."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.errors import HubError
from infra.files import file_digest
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import REPO, TOKEN, files_in, folder_of, shards

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def requests_of_a_push(server: HubServer, remote: RemoteHub, tmp_path: Path) -> list[str]:
    """What a push of shards over others asks for."""
    remote.push("dataset", "local/rehearsal", shards(tmp_path / "r1", "old", 2), "old")
    server.begin()
    remote.push("dataset", "local/rehearsal", shards(tmp_path / "r2", "new", 2), "new", source="key")
    return list(server.requests)


@pytest.mark.parametrize(
    "how", ["cut", *(pytest.param(how, marks=pytest.mark.whole_runs) for how in ("lost", 503, 429))]
)
def test_a_push_whose_request_fails_ends_as_if_it_had_not(
    server: HubServer, remote: RemoteHub, tmp_path: Path, how: str | int
) -> None:
    requests = requests_of_a_push(server, remote, tmp_path)
    size = sum(server.uploads)
    folder, old = shards(tmp_path / "new", "new", 2), shards(tmp_path / "old", "old", 2)
    for at, request in enumerate(requests):
        repo = f"local/rows{at}"
        remote.push("dataset", repo, old, "old")
        server.begin()
        server.fail(at, how, retry_after=0)
        pushed = remote.push("dataset", repo, folder, "new", source="key")
        kept = server.repos["dataset", f"org/rows{at}"]
        assert len(kept.log("main")) == 3, f"{how} at {request}: one commit, and one only"
        assert set(kept.files("main")) == {*files_in(folder), ".gitattributes"}
        assert pushed.revision == kept.branches["main"]
        assert pushed.revision in kept.tags.values()
        # The shard whose sending failed is sent once more; no other byte is. (Shards come in any order.)
        failed = server.requests[at]
        again = (folder / "data/train-00000.parquet").stat().st_size if failed.startswith("PUT") else 0
        assert size <= sum(server.uploads) <= size + again, f"{how} at {failed}"
        assert remote.made_from("dataset", repo, "key") == pushed


@pytest.mark.parametrize("how", ["cut", "lost", 503])
def test_a_promotion_whose_request_fails_is_one_line(
    server: HubServer, remote: RemoteHub, tmp_path: Path, how: str | int
) -> None:
    one, two = (
        remote.push("model", REPO, folder_of(tmp_path / word, card=word), word, main=False).revision
        for word in ("one", "two")
    )
    remote.set_main("model", REPO, two, b"0\n")
    server.begin()
    remote.set_main("model", REPO, one, b"1\n", b"0\n")
    count, lines = len(server.requests), b"0\n1\n"
    for at in range(count):
        server.begin()
        server.fail(at, how)
        wanted, line = (two, one)[at % 2], b"%d\n" % (at + 2)
        remote.set_main("model", REPO, wanted, line, lines)
        lines += line
        server.begin()
        assert remote.journal("model", REPO) == lines and remote.main("model", REPO) == wanted


@pytest.mark.parametrize("how", ["cut", 503])
def test_a_download_whose_request_fails_is_whole(
    server: HubServer, remote: RemoteHub, tmp_path: Path, how: str | int
) -> None:
    pushed = remote.push("dataset", REPO, shards(tmp_path / "a", count=2), "")
    server.begin()
    remote.resolve("dataset", REPO, pushed.revision)
    for at in range(len(server.requests)):
        server.begin()
        server.fail(at, how, retry_after=0)
        fresh = RemoteHub(server.endpoint, "org", tmp_path / f"cache{at}", token=SecretStr(TOKEN))
        assert files_in(fresh.resolve("dataset", REPO, pushed.revision)) == files_in(tmp_path / "a")


def test_the_pause_that_the_server_asks_for_is_kept(
    server: HubServer, remote: RemoteHub, tmp_path: Path
) -> None:
    server.fail("/commit/", 429, retry_after=2)
    remote.push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
    first, second, *_ = [
        time for time, request in zip(server.times, server.requests, strict=True) if "/commit/" in request
    ]
    assert second - first >= 2


def test_a_pause_beyond_our_patience_is_said_and_not_waited_for(
    server: HubServer, remote: RemoteHub, tmp_path: Path
) -> None:
    server.fail(0, 429, retry_after=86_400)
    with pytest.raises(HubError, match=r"answers 429 still.*run the same again in 86400 seconds"):
        remote.push("model", REPO, folder_of(tmp_path / "a", card="x"), "")
    assert len(server.requests) == 1


PUSH = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from infra.hub.remote import RemoteHub
hub = RemoteHub(sys.argv[1], "org", Path(sys.argv[2]), token=SecretStr(sys.argv[3]))
hub.push("dataset", "local/intents", Path(sys.argv[4]), "new", source="key")
"""


@pytest.mark.parametrize("moment", ["/verify", "/commit/", "/tag/"])
def test_a_killed_push_is_finished_by_the_next_one_without_what_arrived(
    server: HubServer, remote: RemoteHub, tmp_path: Path, moment: str
) -> None:
    remote.push("dataset", REPO, shards(tmp_path / "old", "old", 8), "old")
    new = shards(tmp_path / "new", "new", 8)
    server.begin()
    child = subprocess.Popen(
        [sys.executable, "-c", PUSH, server.endpoint, str(tmp_path / "child"), TOKEN, str(new)], cwd=ROOT,
        env=os.environ | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"},
    )  # fmt: skip
    killed, repo = threading.Event(), server.repos["dataset", "org/intents"]

    def kill() -> None:
        child.send_signal(signal.SIGKILL)
        child.wait()
        killed.set()

    # A shard has arrived, others are on their way; all have, and the commit was sent; the commit is there, and has no tag.
    server.before[moment] = kill
    assert killed.wait(120)
    arrived = {path for path in new.rglob("*.parquet") if file_digest(path) in repo.objects}
    shown = files_in(remote.resolve("dataset", REPO))
    assert arrived and shown in (files_in(tmp_path / "old"), files_in(new))
    assert (moment, shown) != ("/verify", files_in(new)) and (moment, shown) != (
        "/tag/",
        files_in(tmp_path / "old"),
    )
    server.begin()
    remote.push("dataset", REPO, new, "new", source="key")
    left = set(new.rglob("*.parquet")) - arrived
    assert sum(server.uploads) <= sum(path.stat().st_size for path in left)
    assert files_in(remote.resolve("dataset", REPO)) == files_in(new) and len(repo.log("main")) == 3
