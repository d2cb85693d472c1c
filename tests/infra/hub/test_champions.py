"""Champions on either Hub: promoted, rolled back, and promoted from two machines at once."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.champions.promotions import Champion, Promotions
from infra.errors import HubError
from infra.hub.protocol import Hub
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import REPO, TOKEN, files_in, folder_of

pytestmark = pytest.mark.slow


def publish(hub: Hub, place: Path, word: str) -> Champion:
    """A published revision that is not `main`."""
    pushed = hub.push("model", REPO, folder_of(place / word, model=word), word, source=word, main=False)
    return Champion(revision=pushed.revision, package=f"package of {word}")


def test_main_follows_the_champion_there_and_back(hub: Hub, tmp_path: Path) -> None:
    promotions = Promotions(hub, REPO)
    one, two = (publish(hub, tmp_path, word) for word in ("one", "two"))
    for champion in (one, two, two):
        assert promotions.promote(champion, "pass", "is good")
    assert files_in(hub.resolve("model", REPO)) == {"model": "two"} and len(promotions.lines()) == 2
    promotions.roll_back(promotions.next_rollback("too slow"))
    assert files_in(hub.resolve("model", REPO)) == {"model": "one"} and promotions.champion() == one
    assert not promotions.promote(two, "pass", "not asked for")
    with pytest.raises(HubError, match=r"no champion to go back to.*Nothing was changed"):
        promotions.next_rollback("")
    assert promotions.promote(two, "pass", "asked for", again=True)
    assert hub.main("model", REPO) == two.revision
    assert [line.action for line in promotions.lines()] == ["promote", "promote", "rollback", "promote"]


def test_two_machines_that_promote_at_once_lose_no_line(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    other = RemoteHub(server.endpoint, "org", tmp_path / "other", token=SecretStr(TOKEN))
    one, two = (publish(remote, tmp_path, word) for word in ("one", "two"))
    server.before["/commit/main"] = lambda: Promotions(other, REPO).promote(two, "pass", "theirs")
    Promotions(remote, REPO).promote(one, "pass", "ours")
    lines = Promotions(remote, REPO).lines()
    assert [(line.before, line.after) for line in lines] == [(None, two), (two, one)]
    assert remote.main("model", REPO) == one.revision


def test_a_champion_that_changed_on_another_machine_is_not_rolled_back(
    remote: RemoteHub, server: HubServer, tmp_path: Path
) -> None:
    other = RemoteHub(server.endpoint, "org", tmp_path / "other", token=SecretStr(TOKEN))
    promotions = Promotions(remote, REPO)
    one, two, three = (publish(remote, tmp_path, word) for word in ("one", "two", "three"))
    for champion in (one, two):
        promotions.promote(champion, "pass", "")
    server.before["/commit/main"] = lambda: Promotions(other, REPO).promote(three, "pass", "theirs")
    with pytest.raises(HubError, match="another champion by now"):
        promotions.roll_back(promotions.next_rollback(""))
    assert remote.main("model", REPO) == three.revision and len(promotions.lines()) == 3
