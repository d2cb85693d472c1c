"""Whether one may publish, as the doctor says it: a remedy for each obstacle, and never the token."""

import socket
from pathlib import Path

import pytest
from huggingface_hub.utils import get_token

from infra.cli.check import Check
from infra.cli.home_checks import check_hub
from infra.hub.access import obstacle_of
from infra.settings import Settings
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import TOKEN


def looked_at(hub: str, home: Path, token: str | None = None) -> Check:
    check = check_hub(Settings(_env_file=None, hub=hub, home=home, hub_token=token))
    assert token is None or token not in repr(check)
    return check


def test_a_folder_that_can_be_written_is_fine_also_before_it_is_made(tmp_path: Path) -> None:
    check = looked_at("local", tmp_path / "home")
    assert (check.state, check.found) == ("ok", str(tmp_path / "home" / "hub"))


def test_a_folder_that_cannot_be_one_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    check = looked_at(str(tmp_path / "file" / "hub"), tmp_path)
    assert check.state == "fault" and "file cannot be written" in check.found
    assert "STILLHOUSE_HUB" in check.remedy


def test_an_address_that_is_none_is_a_fault(tmp_path: Path) -> None:
    check = looked_at("s3://bucket", tmp_path)
    assert check.state == "fault" and "https://huggingface.co/OWNER" in check.remedy


@pytest.mark.parametrize("owner", ["org", "somebody"])
def test_a_token_that_may_write_is_fine_and_nothing_is_written(
    server: HubServer, tmp_path: Path, owner: str
) -> None:
    check = looked_at(f"{server.endpoint}/{owner}", tmp_path, TOKEN)
    assert (check.state, check.found) == ("ok", f"{server.endpoint}/{owner}, as somebody")
    assert server.requests == ["GET api/whoami-v2"] and server.repos == {}


@pytest.mark.parametrize(
    ("owner", "token", "said"),
    [
        ("org", "hf_readonly", "the token has the role 'read'"),
        ("org", "hf_scoped", "the fine-grained token lacks repo.write for org"),
        ("reader", TOKEN, "somebody has the role 'read' in reader, expected one of write, admin"),
        ("stranger", TOKEN, "somebody is not stranger and no member of it"),
    ],
)
def test_a_token_that_may_not_write_there_says_why_and_which_would(
    server: HubServer, tmp_path: Path, owner: str, token: str, said: str
) -> None:
    server.tokens["hf_scoped"], server.owners["reader"] = "read", "read"
    entity = {"type": "org", "name": "org"}
    server.scopes["hf_scoped"] = [{"entity": entity, "permissions": ["repo.content.read"]}]
    check = looked_at(f"{server.endpoint}/{owner}", tmp_path, token)
    assert check.state == "fault" and said in check.found
    assert "STILLHOUSE_HUB_TOKEN" in check.remedy and "another owner" in check.remedy


def test_a_fine_grained_token_that_may_write_for_the_owner_is_fine(server: HubServer) -> None:
    server.scopes[TOKEN] = [
        {"entity": {"type": "user", "name": "somebody"}, "permissions": []},
        {"entity": {"type": "org", "name": "org"}, "permissions": ["repo.content.read", "repo.write"]},
    ]
    assert obstacle_of(server.identity(TOKEN), "org") == ""
    assert "lacks repo.write for somebody" in obstacle_of(server.identity(TOKEN), "somebody")


def test_a_token_that_is_unknown_is_a_fault(server: HubServer, tmp_path: Path) -> None:
    unknown = looked_at(f"{server.endpoint}/org", tmp_path, "hf_unknown_canary")
    assert unknown.state == "fault" and "does not know the token" in unknown.remedy


@pytest.mark.skipif(get_token() is not None, reason="this machine is logged in to the Hub")
def test_no_token_at_all_is_a_fault(server: HubServer, tmp_path: Path) -> None:
    none = looked_at(f"{server.endpoint}/org", tmp_path)
    assert none.state == "fault" and "no token is set" in none.remedy and server.requests == []


def test_a_hub_that_does_not_answer_or_is_busy_is_a_fault_at_once(server: HubServer, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/org"
    check = looked_at(closed, tmp_path, TOKEN)
    assert check.state == "fault" and "does not answer" in check.remedy
    server.fail(0, 429, retry_after=300)
    busy = looked_at(f"{server.endpoint}/org", tmp_path, TOKEN)
    assert busy.state == "fault" and "in 300 seconds" in busy.remedy and len(server.requests) == 1
