"""Objects in a folder: a shared disk as a store."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from infra.errors import StoreError
from infra.files import disk_errors

PARTIAL = ".partial-"


@dataclass(frozen=True)
class FolderObjects:
    """See `ObjectStore`. A file is written beside its place and renamed."""

    root: Path

    def check(self) -> None:
        """See `ObjectStore.check`: the folder itself is made, the one that it lies in is not."""
        if not self.root.parent.is_dir():
            raise StoreError(
                f"STILLHOUSE_STORE: {self.root.parent} is not there: expected a folder. Mount it, or correct the path."
            )
        with disk_errors(self.root):
            self.root.mkdir(exist_ok=True)
            next(self.root.iterdir(), None)

    def sizes(self, folder: str) -> dict[str, int]:
        """See `ObjectStore.sizes`."""
        place = self.root / folder
        with disk_errors(place):
            files = [
                path for path in place.rglob("*") if path.is_file() and not path.name.startswith(PARTIAL)
            ]
            return {path.relative_to(place).as_posix(): path.stat().st_size for path in files}

    def read(self, name: str) -> bytes | None:
        """See `ObjectStore.read`."""
        with disk_errors(self.root / name):
            try:
                return (self.root / name).read_bytes()
            except FileNotFoundError:
                return None

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `ObjectStore.read_range`."""
        with disk_errors(self.root / name):
            try:
                with (self.root / name).open("rb") as file:
                    file.seek(start)
                    return file.read(end - start)
            except FileNotFoundError:
                return b""

    def create(self, name: str, data: bytes) -> bool:
        """See `ObjectStore.create`: a hard link to a whole file appears at once, and only where nothing is."""
        with self._beside(name) as partial:
            partial.write_bytes(data)
            _flush(partial)
            try:
                os.link(partial, self.root / name)
            except FileExistsError:
                return False
        return True

    def send(self, source: Path, name: str) -> int:
        """See `ObjectStore.send`."""
        with self._beside(name) as partial:
            shutil.copyfile(source, partial)
            _flush(partial)
            partial.replace(self.root / name)
        return source.stat().st_size

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        with disk_errors(self.root / name):
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def _beside(self, name: str) -> Iterator[Path]:
        target = self.root / name
        partial = target.with_name(f"{PARTIAL}{uuid4().hex}")
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield partial
            finally:
                partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
