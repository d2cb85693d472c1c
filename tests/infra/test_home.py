"""Which `.stillhouse` is the home: the nearest upwards that is ours, else one here."""

import os
from pathlib import Path

import pytest

from infra.files import make_home
from infra.home import FOLDER, MARK, find_home
from infra.settings import Settings


def made(folder: Path) -> Path:
    """A home there, as a command makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    make_home(Settings(home=folder / FOLDER, _env_file=None))
    return folder / FOLDER


def test_from_a_folder_below_the_home_above_is_found(tmp_path: Path) -> None:
    home = made(tmp_path / "project")
    below = tmp_path / "project" / "notebooks" / "drafts"
    below.mkdir(parents=True)
    assert find_home(below) == home


def test_the_nearest_of_two_is_taken(tmp_path: Path) -> None:
    made(tmp_path)
    nearer = made(tmp_path / "project")
    (tmp_path / "project" / "notebooks").mkdir()
    assert find_home(tmp_path / "project" / "notebooks") == nearer


def test_without_any_it_is_one_here(tmp_path: Path) -> None:
    assert find_home(tmp_path / "project") == tmp_path / "project" / FOLDER


def test_a_folder_above_without_the_mark_came_with_somebody_s_files_and_does_not_count(
    tmp_path: Path,
) -> None:
    (tmp_path / FOLDER).mkdir()
    assert find_home(tmp_path / "project") == tmp_path / "project" / FOLDER


def test_one_of_an_older_version_is_taken_where_one_stands_and_gets_the_mark(tmp_path: Path) -> None:
    (tmp_path / FOLDER / "artifacts").mkdir(parents=True)
    assert find_home(tmp_path) == tmp_path / FOLDER
    make_home(Settings(home=tmp_path / FOLDER, _env_file=None))
    assert (tmp_path / FOLDER / MARK).is_file()
    assert find_home(tmp_path / "below") == tmp_path / FOLDER


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another user")
def test_another_user_s_home_above_does_not_count(tmp_path: Path) -> None:
    os.chown(made(tmp_path), 12345, 12345)
    assert find_home(tmp_path / "project") == tmp_path / "project" / FOLDER


def test_a_home_that_the_environment_names_is_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path / "named"))
    assert Settings(_env_file=None).home == tmp_path / "named"
    monkeypatch.delenv("STILLHOUSE_HOME")
    assert Settings(_env_file=None).home == tmp_path / FOLDER
