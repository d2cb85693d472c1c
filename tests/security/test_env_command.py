"""`stillhouse env` prints what a shell lacks, and nothing that a user has set: it may be a secret."""

import pytest

from infra.cli.command import main
from infra.settings import get_settings

pytestmark = pytest.mark.usefixtures("home")

SECRET = "canary0f5c"
OWN = {
    "MLFLOW_TRACKING_URI": f"https://bob:{SECRET}@mlflow.example.org",
    "MLFLOW_BACKEND_STORE_URI": f"postgresql://bob:{SECRET}@db/mlflow",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://bob:{SECRET}@db/prefect",
    "PREFECT_CLIENT_CUSTOM_HEADERS": f'{{"X-Proxy-Token": "{SECRET}"}}',
}


def test_no_password_that_a_user_has_set_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    assert main(["env"]) == 0
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    assert "export MLFLOW_TRACKING_URI=sqlite:///" in out


def test_what_the_shell_has_already_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    assert main(["env"]) == 0
    assert "PREFECT_LOGGING_LEVEL" not in capfd.readouterr().out


def test_a_token_in_the_tracking_server_s_address_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STILLHOUSE_MLFLOW_URI", f"https://{SECRET}@mlflow.example.org")
    get_settings.cache_clear()
    assert main(["env"]) == 0
    out, err = capfd.readouterr()
    assert SECRET not in out + err
    assert 'export MLFLOW_TRACKING_URI="$STILLHOUSE_MLFLOW_URI"' in out
