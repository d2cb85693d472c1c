"""A folder that came with somebody's data chooses neither where the user's tokens go nor which code runs."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli.command import main
from infra.cli.doctor import Check, examine
from infra.errors import ConfigError
from infra.machine import environment
from infra.settings import get_settings
from infra.tracking.connection import connect_runs
from infra.warehouse.connect import open_warehouse
from tests.security.recording import Recorder, recording
from tests.typed import typed

ROOT = Path(__file__).parents[2]
PATIENCE_S = 400.0
CANARY = "canary0token"
TOKENS = {
    "HF_TOKEN": CANARY,
    "MLFLOW_TRACKING_TOKEN": CANARY,
    "PREFECT_API_KEY": CANARY,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}
MARKS = "import os, pathlib\npathlib.Path(os.environ['MARKER']).write_text(__file__)\n"
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
    return next(check for check in examine(get_settings()) if check.name == "Hub")


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
    assert main(["status"]) == 2
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


def test_a_python_that_is_started_in_the_folder_imports_none_of_its_modules(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    (folder / "multiprocessing.py").write_text(MARKS)
    monkeypatch.setenv("MARKER", str(marker))
    environment.prepare()
    subprocess.run([sys.executable, "-c", "import multiprocessing"], check=True)
    assert not marker.exists()


# What follows runs whole commands, and a server each.


def in_folder(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of ours typed in the folder by a user with tokens, but without a login of Prefect's."""
    ours = ("STILLHOUSE_", "PREFECT_", "PYTHONSAFEPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    variables = {
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder.parent / "user"),
        "STILLHOUSE_HOME": str(folder.parent / "home"),
        "MARKER": str(folder.parent / "ran"),
        **TOKENS,
    }
    return subprocess.run(
        typed(*command),
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def hostile(folder: Path, stranger: Recorder) -> Path:
    """Somebody's table, and beside it what would send the tokens away and run code."""
    draw = random.Random(16)
    words = ["".join(draw.choices("abcdefghijklmnopqrst", k=6)) for _ in range(400)]
    rows = [
        f"{verb} {' '.join(draw.sample(words, 6))},{verb}" for verb in ("add", "remove") for _ in range(60)
    ]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / ".env").write_text(
        f"STILLHOUSE_HUB={stranger.address}/attacker\nSTILLHOUSE_MLFLOW_URI={stranger.address}\n"
    )
    (folder / "prefect.toml").write_text(f'[api]\nurl = "{stranger.address}/api"\n')
    for name in ("yaml", "uvicorn", "prefect", "mlflow", "pathlib", "multiprocessing"):
        (folder / f"{name}.py").write_text(MARKS)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize(
    "command",
    [("stillhouse", "doctor"), ("flows.data", "--extract.table", "rows.csv")],
    ids=["doctor", "flows.data"],
)
def test_a_command_in_a_hostile_folder_sends_no_token_and_runs_no_code(
    hostile: Path, stranger: Recorder, command: tuple[str, ...]
) -> None:
    done = in_folder(hostile, *command)
    assert stranger.came == []
    assert not (hostile.parent / "ran").exists()
    assert done.returncode == 0 or "doctor" in command, (
        done.stderr
    )  # which may find other faults of this machine
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(2 * PATIENCE_S)
def test_prefect_s_own_server_runs_no_code_of_the_folder(hostile: Path) -> None:
    for name in ("prefect.toml", ".env"):
        (hostile / name).unlink()
    done = in_folder(hostile, "flows.data", "--extract.table", "rows.csv")
    assert not (hostile.parent / "ran").exists()
    assert done.returncode == 0, done.stderr
