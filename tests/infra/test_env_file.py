"""Which `.env` is read, and what is known of where a setting is from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import env_file
from infra.errors import ConfigError
from infra.hub.named_by import held_back, naming_file, own_token
from infra.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(env_file.VARIABLE, raising=False)
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


def read(file: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    file.write_text(text)
    monkeypatch.setenv(env_file.VARIABLE, str(file))
    return get_settings()


def test_a_path_relative_to_the_folder_is_made_absolute_because_children_have_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "team.env").write_text("")
    monkeypatch.setenv(env_file.VARIABLE, "team.env")
    assert env_file.chosen() == folder / "team.env"


def test_left_empty_none_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(env_file.VARIABLE, "")
    assert env_file.chosen() is None


def test_a_folder_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(env_file.VARIABLE, str(folder))
    with pytest.raises(ConfigError, match="no file"):
        env_file.chosen()


def test_the_environment_wins_over_the_file_and_is_known_as_the_source(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_HUB", "https://hub.example/me")
    file = folder / "team.env"
    settings = read(file, "STILLHOUSE_HUB=https://x.example/y\nSTILLHOUSE_STORE=file:///s\n", monkeypatch)
    assert (settings.hub, settings.source_of("hub")) == ("https://hub.example/me", None)
    assert (settings.store, settings.source_of("store")) == ("file:///s", file)
    assert (settings.source_of("home"), settings.env_file) == (None, file)


@pytest.mark.parametrize(
    ("name", "text", "noted"),
    [
        (".env", "STILLHOUSE_HUB=local\n", True),
        (".env", "# mine\nexport PREFECT_API_URL=http://x\n", True),
        (".env", "DATABASE_URL=postgresql:///x\n#STILLHOUSE_HUB=local\n", False),
        ("prefect.toml", "[api]\nurl = 'http://x'\n", True),
        ("pyproject.toml", "[tool.prefect.api]\nurl = 'http://x'\n", True),
        ("pyproject.toml", "[tool.ruff]\n", False),
    ],
)
def test_a_file_of_the_folder_is_noted_where_somebody_may_count_on_it(
    folder: Path, name: str, text: str, noted: bool
) -> None:
    (folder / name).write_text(text)
    assert list(env_file.passed_over(folder)) == ([folder / name] if noted else [])


def test_the_file_that_is_read_is_not_noted_as_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(folder / ".env", "STILLHOUSE_HUB=local\n", monkeypatch)
    assert list(env_file.passed_over(folder)) == []


@pytest.mark.parametrize("hub", ["https://huggingface.co/team", "local", "/srv/hub", "file:///srv/hub"])
def test_huggingface_co_and_a_folder_may_be_named_by_a_file_and_get_the_user_s_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hub: str
) -> None:
    monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", "hf_mine")
    settings = read(folder / "team.env", f"STILLHOUSE_HUB={hub}\n", monkeypatch)
    token = own_token(settings)
    assert token is not None and token.get_secret_value() == "hf_mine"
    assert naming_file(settings) is None and held_back(settings) == ""


@pytest.mark.parametrize(
    "hub",
    [
        "https://huggingface.co.evil.example/x",
        "https://huggingface.co@evil.example/x",
        "http://huggingface.co/x",
    ],
)
def test_what_only_looks_like_huggingface_co_gets_none_and_that_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, hub: str
) -> None:
    monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", "hf_mine")
    file = folder / "team.env"
    settings = read(file, f"STILLHOUSE_HUB={hub}\n", monkeypatch)
    assert own_token(settings) is None and str(file) in held_back(settings)


def test_a_hub_that_the_environment_names_gets_the_token_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STILLHOUSE_HUB", "https://hub.example/team")
    monkeypatch.setenv("STILLHOUSE_HUB_TOKEN", "hf_mine")
    token = own_token(get_settings())
    assert token is not None and token.get_secret_value() == "hf_mine"
