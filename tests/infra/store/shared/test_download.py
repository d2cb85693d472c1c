"""A large file that comes down in several ranges: what a kill leaves of it is used, and nothing is believed."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.errors import StoreUnreachable
from infra.store.shared.download import NOTE, download
from infra.store.shared.folder import FolderObjects

PART = 1000
CONTENT = bytes(number % 251 for number in range(9_500))


@dataclass(frozen=True)
class Cut(FolderObjects):
    """A folder that no longer answers for what begins at `silent` bytes, and counts what it gave."""

    silent: frozenset[int] = frozenset()
    given: list[int] = field(default_factory=list)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        if start in self.silent:
            raise StoreUnreachable("it does not answer")
        data = super().read_range(name, start, end)
        self.given.append(len(data))
        return data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "model.bin").write_bytes(CONTENT)
    return tmp_path / "store"


def whole(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(CONTENT).digest()


def fetch(objects: FolderObjects, path: Path) -> bool:
    return download(objects, "model.bin", path, len(CONTENT), PART, whole)


def test_what_had_arrived_before_it_was_broken_off_is_not_fetched_again(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "home" / "model.bin"
    broken = Cut(root, frozenset({2000, 3000}))
    with pytest.raises(StoreUnreachable):
        fetch(broken, path)
    again = Cut(root)
    assert fetch(again, path)
    assert sum(broken.given) >= 2000
    assert sum(again.given) == len(CONTENT) - sum(broken.given)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["model.bin"]


def test_a_beginning_that_is_there_is_gone_on_from(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(CONTENT[:4321])
    objects = Cut(root)
    assert fetch(objects, path)
    assert sum(objects.given) == len(CONTENT) - 4321


@pytest.mark.parametrize("left", [b"x" * 4321, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_what_is_there_and_wrong_is_fetched_from_the_start(root: Path, tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(left)
    assert fetch(Cut(root), path)
    assert path.read_bytes() == CONTENT


def test_a_note_that_a_kill_cut_short_is_read_to_its_last_whole_line(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with pytest.raises(StoreUnreachable):
        fetch(Cut(root, frozenset({0, 9000})), path)
    (note,) = tmp_path.glob(f"{NOTE}*")
    note.write_text(note.read_text() + "9000 95")
    objects = Cut(root)
    assert fetch(objects, path)
    assert sum(objects.given) < len(CONTENT)


def test_an_object_that_is_not_there_is_not_whole(root: Path, tmp_path: Path) -> None:
    (root / "model.bin").unlink()
    assert not fetch(Cut(root), tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()
