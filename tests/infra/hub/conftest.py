"""The two Hubs that keep the same laws, and the server behind one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.hub.local import LocalHub
from infra.hub.protocol import Hub
from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer, hub_server
from tests.infra.hub.folders import TOKEN


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as server:
        server.tokens = {TOKEN: "write", "hf_readonly": "read"}
        yield server


@pytest.fixture
def remote(server: HubServer, tmp_path: Path) -> RemoteHub:
    return RemoteHub(server.endpoint, "org", tmp_path / "cache", token=SecretStr(TOKEN))


@pytest.fixture(params=["folder", "server"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Hub:
    if request.param == "folder":
        return LocalHub(tmp_path / "hub")
    return request.getfixturevalue("remote")
