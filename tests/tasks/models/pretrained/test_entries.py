"""Links stay where they lead to what belongs to the model."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.models.pretrained.entries import is_plain_name
from tasks.models.pretrained.files import check_model_folder
from tests.tasks.models.pretrained.tiny_model import write_model


def as_links(folder: Path, blobs: Path) -> None:
    """Move every file of `folder` to `blobs` and leave links, as the Hub's cache does."""
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(path for path in folder.iterdir() if path.is_file())):
        path.rename(blobs / str(number))
        path.symlink_to(os.path.relpath(blobs / str(number), folder))


def test_links_within_the_folder_stay(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    as_links(folder, folder / "files")
    assert len(check_model_folder(folder)) == 3


def test_a_commit_in_the_hub_s_cache_is_links_into_its_repository(tmp_path: Path) -> None:
    repository = tmp_path / "models--org--tiny"
    folder = write_model(repository / "snapshots" / "0123456789")
    as_links(folder, repository / "blobs")
    assert len(check_model_folder(folder)) == 3


def test_a_commit_in_the_hub_s_cache_leads_nowhere_else(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "models--org--tiny" / "snapshots" / "0123456789")
    as_links(folder, tmp_path / "models--org--other" / "blobs")
    with pytest.raises(ArtifactError, match="outside of the model's folder"):
        check_model_folder(folder)


def test_a_folder_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    write_model(tmp_path / "disk" / "model")
    (tmp_path / "model").symlink_to(tmp_path / "disk" / "model")
    assert len(check_model_folder(tmp_path / "model")) == 3


def test_folders_that_are_not_read_may_hold_anything(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "runs").mkdir()
    (folder / "runs" / "latest").symlink_to(tmp_path)
    assert len(check_model_folder(folder)) == 3


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, bind], ids=["pipe", "socket"])
def test_what_is_no_plain_file_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = write_model(tmp_path / "model")
    make(folder / "merges.txt")
    with pytest.raises(ArtifactError, match=r"merges\.txt is a pipe, a socket or a device"):
        check_model_folder(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "/a", None, 3, ["a"]])
def test_a_plain_name_is_that_of_a_file_beside(name: object) -> None:
    assert not is_plain_name(name)
    assert is_plain_name("model-00001-of-00002.safetensors")
