"""Files of an artifact on their way between a home and a shared store."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from infra.files import file_digest
from infra.store.record import BESIDE, FileRecord
from infra.store.shared.bucket import in_parallel
from infra.store.shared.download import NOTE, download
from infra.store.shared.object_store import ObjectStore

Result = TypeVar("Result")


@dataclass(frozen=True)
class Transfers:
    """Between the folder of an artifact and the objects of its content; files above `part_bytes` travel in parts."""

    objects: ObjectStore
    part_bytes: int

    def upload(self, folder: Path, content: str, names: Iterable[str]) -> int:
        """Send files; gives the bytes that had to be sent."""
        sizes = {name: (folder / name).stat().st_size for name in names}
        sent = self._each(lambda name: self.objects.send(folder / name, f"{content}/{name}"), sizes)
        return sum(sent.values())

    def download(self, folder: Path, content: str, files: Mapping[str, FileRecord]) -> list[str]:
        """Get every file, and nothing else stays; names of those that are not what their record says."""
        clear(folder, files)
        return self.get(folder, content, files)

    def get(self, folder: Path, content: str, files: Mapping[str, FileRecord]) -> list[str]:
        """Get files, where they are not there already; names of those that are not what their record says."""

        def fetch(name: str) -> bool:
            file = files[name]
            return download(
                self.objects,
                f"{content}/{name}",
                folder / name,
                file.size,
                self.part_bytes,
                lambda path: file_digest(path) == file.sha256,
            )

        right = self._each(fetch, {name: file.size for name, file in files.items()})
        return [name for name, whole in right.items() if not whole]

    def _each(self, work: Callable[[str], Result], sizes: Mapping[str, int]) -> dict[str, Result]:
        """Small files side by side; large ones one by one, so that their parts in memory are few."""
        small = [name for name, size in sizes.items() if size <= self.part_bytes]
        large = [name for name in sizes if name not in set(small)]
        done = dict(zip(small, in_parallel(work, small), strict=True))
        return done | {name: work(name) for name in large}


def clear(folder: Path, files: Mapping[str, FileRecord]) -> None:
    """Take away what is not of an artifact: not its files, nor what lies beside them, nor notes of a download."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in files and name not in BESIDE and not path.name.startswith(NOTE):
            path.unlink()
