"""Which Hub the settings mean, and that no setting gives the token away."""

from pathlib import Path

import pytest

from infra.errors import ConfigError
from infra.hub.connect import open_hub
from infra.hub.local import LocalHub
from infra.hub.remote import RemoteHub
from infra.settings import Settings, get_settings


def settings(hub: str, home: Path) -> Settings:
    return Settings(_env_file=None, hub=hub, home=home, hub_token="hf_secret\n")


def test_a_folder_is_named_in_three_ways(tmp_path: Path) -> None:
    named = settings("local", tmp_path).hub_folder
    for uri in ("local", str(named), named.as_uri()):
        assert open_hub(settings(uri, tmp_path)) == LocalHub(named)


@pytest.mark.parametrize("uri", ["https://huggingface.co/org", "http://127.0.0.1:8080/org/"])
def test_an_address_with_an_owner_is_the_hub_on_the_network(tmp_path: Path, uri: str) -> None:
    hub = open_hub(settings(uri, tmp_path))
    assert isinstance(hub, RemoteHub) and (hub.owner, hub.private) == ("org", True)
    assert hub.endpoint == uri.rstrip("/").removesuffix("/org")
    assert hub.token is not None and hub.token.get_secret_value() == "hf_secret"
    assert "hf_secret" not in repr(hub)


@pytest.mark.parametrize(
    "uri",
    [
        "https://huggingface.co", "https://huggingface.co/", "hf://datasets", "s3://bucket", "http://huggingface.co/org",
        "https://me:hf_pass@huggingface.co/org", "https://huggingface.co/../org?x", "https://huggingface.co/.org",
    ],
)  # fmt: skip
def test_any_other_address_is_refused_with_what_was_expected(tmp_path: Path, uri: str) -> None:
    with pytest.raises(
        ConfigError, match=r"expected `local`, a folder, or https://huggingface.co/OWNER"
    ) as found:
        open_hub(settings(uri, tmp_path))
    assert "hf_pass" not in str(found.value)


def test_a_token_that_cannot_be_one_is_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", "hf_canary and more")
    with pytest.raises(ConfigError, match="STILLHOUSE_HUB_TOKEN") as found:
        get_settings()
    assert "canary" not in str(found.value)
