"""Objects in a folder: a shared disk as a store."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from infra.errors import StoreError, StoreUnreachable
from infra.store.shared.bucket import read_part
from infra.store.shared.permissions import GroupAccess, owner

PARTIAL = ".partial-"
DENIED = frozenset({errno.EACCES, errno.EPERM})
FULL = {
    errno.ENOSPC: "its disk is full; free space there",
    errno.EDQUOT: "its disk quota is used up; free space there",
    errno.EROFS: "it is on a read-only file system; mount it to be written",
}
NO_ANSWER = frozenset(
    {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)


@dataclass(frozen=True)
class FolderObjects:
    """See `ObjectStore`. A file is written beside its place and renamed; where a group shares the folder, it is the group's."""

    root: Path

    def check(self) -> None:
        """See `ObjectStore.check`: the folder itself is made, the one that it lies in is not."""
        if not self.root.parent.is_dir():
            raise StoreError(
                f"STILLHOUSE_STORE: {self.root.parent} is not there: expected a folder. Mount it, or correct the path."
            )
        with self._refusals(self.root):
            _make(self.root, GroupAccess.of(self.root.parent))
            next(self.root.iterdir(), None)

    def sizes(self, folder: str) -> dict[str, int]:
        """See `ObjectStore.sizes`."""
        place = self.root / folder
        with self._refusals(place):
            files = [
                path for path in place.rglob("*") if path.is_file() and not path.name.startswith(PARTIAL)
            ]
            return {path.relative_to(place).as_posix(): path.stat().st_size for path in files}

    def read(self, name: str) -> bytes | None:
        """See `ObjectStore.read`."""
        with self._refusals(self.root / name), suppress(FileNotFoundError):
            return (self.root / name).read_bytes()
        return None

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `ObjectStore.read_range`."""
        with self._refusals(self.root / name), suppress(FileNotFoundError):
            return read_part(self.root / name, start, end - start)
        return b""

    def create(self, name: str, data: bytes) -> bool:
        """See `ObjectStore.create`: a hard link to a whole file appears at once, and only where nothing is."""
        with self._beside(name) as partial:
            partial.write_bytes(data)
            self._finish(partial)
            try:
                os.link(partial, self.root / name)
            except FileExistsError:
                return False
        return True

    def send(self, source: Path, name: str) -> int:
        """See `ObjectStore.send`."""
        with self._beside(name) as partial:
            shutil.copyfile(source, partial)
            self._finish(partial)
            partial.replace(self.root / name)
        return source.stat().st_size

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        with self._refusals(self.root / name):
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def _beside(self, name: str) -> Iterator[Path]:
        target = self.root / name
        partial = target.with_name(f"{PARTIAL}{uuid4().hex}")
        with self._refusals(target):
            self._make_folders(target.parent)
            try:
                yield partial
            finally:
                partial.unlink(missing_ok=True)

    def _make_folders(self, folder: Path) -> None:
        access = GroupAccess.of(self.root)
        between = folder.relative_to(self.root).parts
        for depth in range(1, len(between) + 1):
            _make(self.root.joinpath(*between[:depth]), access)

    def _finish(self, partial: Path) -> None:
        """On the disk, and the group's, before it has its name."""
        if (access := GroupAccess.of(self.root)) is not None:
            access.open_file(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())

    @contextmanager
    def _refusals(self, place: Path) -> Iterator[None]:
        """Turn the operating system's refusals into a StoreError that names the store's folder and the remedy."""
        try:
            yield
        except OSError as error:
            if error.errno in DENIED:
                raise StoreError(self._denied(place)) from error
            if error.errno in FULL:
                raise StoreError(
                    f"{place} in the shared store cannot be written: {FULL[error.errno]}."
                ) from error
            if error.errno in NO_ANSWER or not self.root.is_dir():
                raise StoreUnreachable(
                    f"{self.root}: the shared store does not answer ({error.strerror}). Mount it, or look at its disk."
                ) from error
            raise
        if not self.root.is_dir():  # What is "not there" then is no answer.
            raise StoreUnreachable(
                f"{self.root}: the shared store is gone: expected the folder that was there. Mount it again."
            )

    def _denied(self, place: Path) -> str:
        # Path.exists would raise where a folder above may not be searched.
        there = next(path for path in (place, *place.parents) if os.path.exists(path))  # noqa: PTH110
        root = self.root
        return (
            f"{place} in the shared store {root} may not be used by this user: {there} is {owner(there)}; expected that "
            f"who shares the store may write there. Have its owner run `chmod -R g+rwX {root} && find {root} -type d "
            f"-exec chmod g+s {{}} +`, and be in its group: what is made there afterwards is the group's."
        )


def _make(folder: Path, access: GroupAccess | None) -> None:
    try:
        folder.mkdir()
    except FileExistsError:
        return
    if access is not None:
        access.open_folder(folder)
