"""Which login MLflow's client is left with."""

import logging
import os
from pathlib import Path

import pytest

from infra.settings import Settings, get_settings
from infra.tracking.login import CREDENTIALS, LOGIN, SIGNING, choose_login

URI = "https://mlflow.example"


@pytest.fixture(autouse=True)
def user(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user whose environment has a token."""
    for name in (*LOGIN, *SIGNING, "STILLHOUSE_ENV_FILE"):
        monkeypatch.setenv(name, "")  # so that what is changed is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def left() -> dict[str, str]:
    return {name: os.environ[name] for name in (*LOGIN, *SIGNING) if name in os.environ}


def named_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str = "") -> Settings:
    file = tmp_path / "team.env"
    file.write_text(f"STILLHOUSE_MLFLOW_URI={URI}\n{login}")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    get_settings.cache_clear()
    return get_settings()


def test_a_server_that_the_environment_names_gets_the_login_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", URI)
    get_settings.cache_clear()
    choose_login(get_settings(), URI)
    assert left() == {"MLFLOW_TRACKING_TOKEN": "mine"}


def test_what_is_held_back_is_said_once_with_what_to_do(
    user: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = named_by_a_file(user, monkeypatch)
    with caplog.at_level(logging.WARNING):
        choose_login(settings, URI)
        choose_login(settings, URI)
    (record,) = caplog.records
    said = record.getMessage()
    assert left() == {} and "mine" not in said
    assert all(
        word in said
        for word in ("MLFLOW_TRACKING_TOKEN", URI, str(user / "team.env"), "STILLHOUSE_MLFLOW_URI")
    )


def test_the_login_of_the_file_takes_its_place_and_stays_when_a_child_asks_again(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = named_by_a_file(
        user, monkeypatch, "MLFLOW_TRACKING_USERNAME=team\nMLFLOW_TRACKING_PASSWORD=ours\n"
    )
    for _ in range(2):
        choose_login(settings, URI)
        assert left() == {"MLFLOW_TRACKING_USERNAME": "team", "MLFLOW_TRACKING_PASSWORD": "ours"}


def test_the_user_s_own_file_of_mlflow_is_not_read_for_it(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.utils.credentials import get_default_host_creds

    file = user / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text("[mlflow]\nmlflow_tracking_username = me\nmlflow_tracking_password = secret\n")
    assert get_default_host_creds(URI).password == "secret", CREDENTIALS
    choose_login(named_by_a_file(user, monkeypatch), URI)
    found = get_default_host_creds(URI)
    assert "secret" not in repr(found) and "mine" not in repr(found) and found.username != "me"


def test_the_server_of_up_needs_none_and_nothing_is_said(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        choose_login(Settings(home=home), "http://127.0.0.1:5000")
    assert left() == {} and caplog.records == []


def test_a_file_under_the_home_needs_none_and_nothing_is_taken_away(home: Path) -> None:
    choose_login(Settings(home=home), f"sqlite:///{home}/mlflow.db")
    assert left() == {"MLFLOW_TRACKING_TOKEN": "mine"}
