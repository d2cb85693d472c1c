"""Twenty seeded runs of a push and a download, each with faults at random points: the end is as if there had been none.

In each run one request of all goes wrong, in whatever way, and the sending or receiving of one large file is cut somewhere in
the middle. What was sent or received twice is counted; the table of it is printed (`pytest -rP`) and is the property
`resent_bytes` of each test in a JUnit report.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.files import folder_digest
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer, hub_server
from tests.infra.hub.folders import REPO, TOKEN, shards

pytestmark = pytest.mark.slow
WAYS: tuple[str | int, ...] = ("cut", "lost", 429, 503)
State = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Run:
    """What a push of new rows over old ones, and their download into an empty cache, asked for and left behind."""

    revision: str
    fetched: str  # digest of the downloaded folder
    commits: int
    states: frozenset[State]  # every state of the files that a branch or tag named while it lasted
    requests: tuple[str, ...]
    sent: int
    received: int


def transfers(requests: tuple[str, ...]) -> list[str]:
    """The requests in which large files pass, in either direction."""
    downloads = {what for what in requests if what.startswith("GET") and what.endswith(".parquet")}
    return sorted(downloads | {what for what in requests if what.startswith("PUT")})


def run(place: Path, fail: Callable[[HubServer], None]) -> Run:
    """The same work each time on a Hub of its own; the faults are set before the new rows are pushed."""
    old, new = shards(place / "old", "old", 3), shards(place / "new", "new", 3)
    seen: set[State] = set()
    with hub_server() as server:
        server.tokens = {TOKEN: "write"}
        first, second = (
            RemoteHub(server.endpoint, "org", place / name, token=SecretStr(TOKEN)) for name in ("a", "b")
        )
        first.push("dataset", REPO, old, "old")
        repo = server.repos["dataset", "org/intents"]

        def look() -> None:
            for name in {**repo.branches, **repo.tags}:
                files = repo.commit_of(name).files
                seen.add(frozenset((path, blob.etag) for path, blob in files.items()))

        server.begin()
        server.watch = look
        fail(server)
        pushed = first.push("dataset", REPO, new, "new", source="key")
        fetched = folder_digest(second.resolve("dataset", REPO, pushed.revision))
        look()
        assert repo.branches["main"] == pushed.revision and pushed.revision in repo.tags.values()
        return Run(
            revision=pushed.revision,
            fetched=fetched,
            commits=len(repo.log("main")),
            states=frozenset(seen),
            requests=tuple(server.requests),
            sent=sum(server.uploads),
            received=sum(server.served),
        )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("unbroken"), lambda server: None)


def test_an_unbroken_run_shows_the_old_rows_or_the_new_and_sends_each_byte_once(
    unbroken: Run, tmp_path: Path
) -> None:
    new = shards(tmp_path / "new", "new", 3)
    sizes = [path.stat().st_size for path in new.rglob("*") if path.is_file()]
    large = [path.stat().st_size for path in new.rglob("*.parquet")]
    assert len(unbroken.states) == 2 and unbroken.commits == 3  # the Hub's own first commit, old, new
    assert unbroken.fetched == folder_digest(new)
    assert (unbroken.sent, unbroken.received) == (sum(large), sum(sizes))
    assert len(transfers(unbroken.requests)) == 2 * len(large)


@pytest.mark.whole_runs
@pytest.mark.parametrize("seed", range(20))
def test_faults_at_random_points_change_nothing_but_the_bytes_that_passed(
    unbroken: Run, tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(seed)
    anywhere, how = chance.randrange(len(unbroken.requests)), WAYS[seed % len(WAYS)]
    midway, share = chance.choice(transfers(unbroken.requests)), chance.uniform(0.05, 0.95)

    def fail(server: HubServer) -> None:
        server.fail(anywhere, how, retry_after=1 if how == 429 else None)
        server.fail(midway, "cut", share=share)

    broken = run(tmp_path, fail)
    assert (broken.revision, broken.fetched) == (unbroken.revision, unbroken.fetched)
    assert broken.commits == unbroken.commits and broken.states == unbroken.states
    sent, received = broken.sent - unbroken.sent, broken.received - unbroken.received
    record_property("resent_bytes", sent)
    record_property("received_again_bytes", received)
    print(f"seed {seed}: {how} at {broken.requests[anywhere]}; {share:.0%} of {midway}: "
          f"{sent:,} bytes sent again, {received:,} received again")  # fmt: skip
    # A file that was broken off passes once more, and no other.
    largest = max(path.stat().st_size for path in (tmp_path / "new").rglob("*.parquet"))
    hit = (broken.requests[anywhere], midway)
    assert 0 <= sent <= largest * sum(what.startswith("PUT") for what in hit)
    assert received <= largest * sum(what.startswith("GET") for what in hit)
