"""What is set right in an environment, and what is left as the user has it."""

import os
from pathlib import Path

import pytest

from infra.errors import ConfigError
from infra.machine.surroundings import api_obstacle, obstacles, refuse_obstacles, set_right


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PYTHONIOENCODING"):
        for spelled in (name, name.lower()):
            monkeypatch.setenv(spelled, "")  # taken back at the test's end, whatever is set in between
            monkeypatch.delenv(spelled)


def test_without_a_proxy_nothing_is_excepted(tmp_path: Path) -> None:
    set_right(tmp_path)
    assert "NO_PROXY" not in os.environ and "no_proxy" not in os.environ


def test_what_the_user_excepts_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "corp.example, localhost")
    set_right(tmp_path)
    set_right(tmp_path)
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "corp.example,localhost,127.0.0.1,::1"
    assert os.environ["HTTPS_PROXY"] == "http://proxy:3128"


@pytest.mark.parametrize(
    ("given", "made"), [("ascii", "ascii:backslashreplace"), ("latin-1:replace", "latin-1:replace")]
)
def test_a_user_s_own_way_with_odd_letters_stays(
    given: str, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", given)
    set_right(tmp_path)
    assert os.environ["PYTHONIOENCODING"] == made


def test_a_password_of_a_socks_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://bob:hunter2@proxy:1080")
    (found,) = obstacles()
    assert "socks5://proxy:1080" in str(found) and "hunter2" not in str(found)


def test_each_variable_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/gone/a.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/gone/b.pem")
    with pytest.raises(ConfigError, match=r"unset SSL_CERT_FILE.*unset CURL_CA_BUNDLE"):
        refuse_obstacles()


def test_prefect_cloud_is_not_asked() -> None:
    assert api_obstacle("https://api.prefect.cloud/api/accounts/1/workspaces/2") is None
