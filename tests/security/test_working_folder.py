"""A folder that came with somebody's data chooses neither where the user's tokens go nor which code runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli.app import main
from infra.cli.doctor import Check, check_hub
from infra.errors import ConfigError
from infra.settings import get_settings
from infra.tracking.connection import connect_runs
from infra.warehouse.connect import open_warehouse
from tests.security.recording import Recorder, recording

CANARY = "canary0token"
TOKENS = {
    "HF_TOKEN": CANARY,
    "MLFLOW_TRACKING_TOKEN": CANARY,
    "PREFECT_API_KEY": CANARY,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
KEY_FILE = {"type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": CANARY}


@pytest.fixture
def stranger() -> Iterator[Recorder]:
    """A server that the folder names."""
    with recording() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, tracked_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of this test, with the user's tokens in the environment."""
    place = tmp_path / "data"
    place.mkdir()
    monkeypatch.chdir(place)
    for name, value in TOKENS.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "STILLHOUSE_ENV_FILE"):
        monkeypatch.setenv(name, "")  # so that what the test changes is undone
        monkeypatch.delenv(name)
    get_settings.cache_clear()
    return place


def hub_of(server: Recorder) -> Check:
    return check_hub(get_settings())


def test_a_hub_that_the_folder_names_gets_no_token(folder: Path, stranger: Recorder) -> None:
    (folder / ".env").write_text(f"STILLHOUSE_HUB={stranger.address}/attacker\n")
    hub_of(stranger)
    assert stranger.came == []


def test_a_hub_that_a_chosen_file_names_gets_no_token_of_the_environment_and_that_is_said(
    folder: Path, stranger: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / ".env"
    file.write_text(f"STILLHOUSE_HUB={stranger.address}/team\n")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    check = hub_of(stranger)
    assert stranger.logins == []
    assert check.state == "fault" and str(file) in check.remedy and "STILLHOUSE_HUB_TOKEN" in check.remedy
    assert CANARY not in check.remedy


def test_a_hub_that_a_chosen_file_names_gets_the_token_of_that_file(
    folder: Path, stranger: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "team.env"
    file.write_text(f"STILLHOUSE_HUB={stranger.address}/x\nSTILLHOUSE_HUB_TOKEN=hf_of_the_file\n")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    hub_of(stranger)
    assert stranger.logins == ["Bearer hf_of_the_file"]


@pytest.mark.parametrize("chosen", [False, True])
def test_a_tracking_server_that_a_file_names_gets_no_login_of_the_environment(
    folder: Path, stranger: Recorder, chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text(f"STILLHOUSE_MLFLOW_URI={stranger.address}\n")
    if chosen:
        monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(folder / ".env"))
    connect_runs(get_settings(), "stillhouse/test")
    assert stranger.logins == []
    assert bool(stranger.came) is chosen


def test_a_tracking_server_that_a_chosen_file_names_gets_the_login_of_that_file(
    folder: Path, stranger: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "team.env"
    file.write_text(f"STILLHOUSE_MLFLOW_URI={stranger.address}\nMLFLOW_TRACKING_TOKEN=of_the_file\n")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    connect_runs(get_settings(), "stillhouse/test")
    assert set(stranger.logins) == {"Bearer of_the_file"}


def test_google_s_credentials_go_to_no_server_that_a_file_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, key = folder / ".env", folder / "key.json"
    file.write_text(
        "STILLHOUSE_BIGQUERY_ENDPOINT=https://bigquery.example\nSTILLHOUSE_WAREHOUSE=bigquery://project\n"
    )
    key.write_text(json.dumps(KEY_FILE))
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(file))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    with pytest.raises(ConfigError, match=str(file)):
        _ = open_warehouse(get_settings())._clients.jobs


def test_a_file_that_is_chosen_and_not_there_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", "gone.env")
    assert main(["status"]) == 1
    assert "gone.env" in capsys.readouterr().err


def test_which_file_was_read_is_told_and_which_was_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".env").write_text("STILLHOUSE_STORE=file:///elsewhere\n")
    read = folder / "team.env"
    read.write_text("STILLHOUSE_PREFECT_PORT=4299\n")
    monkeypatch.setenv("STILLHOUSE_ENV_FILE", str(read))
    assert main(["status"]) == 0
    said = capsys.readouterr().err
    assert f"settings: the environment, and {read}" in said
    assert f"not read: {folder / '.env'}" in said
