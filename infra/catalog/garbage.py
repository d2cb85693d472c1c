"""What can go: a folder or some files, why nobody needs them, and how they are taken away without harm to who does."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from infra.files import disk_errors
from infra.settings import Settings
from infra.store.locks import freeing
from infra.store.record import RECORD_FILE

DAY = 86_400
# What has no lock to tell whether it is in use is let be for a while, however few days were asked for.
AT_REST_DAYS = 1 / 24


@dataclass(frozen=True)
class Garbage:
    """Something that can go: where it is, its bytes, why nobody needs it, of what kind it is, and of how many pieces.

    `remove` takes it away and says whether it went: what somebody uses at that moment stays.
    """

    path: Path
    size: int
    why: str
    kind: str
    remove: Callable[[], bool] = field(repr=False, compare=False)
    pieces: int = 1


def keyed(settings: Settings, folder: Path, why: str, kind: str) -> Garbage:
    """A folder that is named by a key, and goes unless somebody holds the key."""
    seen = last_use(folder)
    return Garbage(folder, size_of(folder), why, kind, lambda: free_folder(settings, folder, seen))


def loose(place: Path, paths: Sequence[Path], why: str, kind: str) -> list[Garbage]:
    """Files and folders without a lock, told as one; none for none."""
    if not paths:
        return []
    return [Garbage(place, sum(map(size_of, paths)), why, kind, partial(_delete, paths), len(paths))]


def free_folder(settings: Settings, folder: Path, seen: int | None = None) -> bool:
    """Delete the folder of a key; False when a process computes it or counts on it, or it was used since `seen`.

    Raises StoreError when the disk refuses.
    """
    with disk_errors(folder), freeing(settings.locks, folder.name) as alone:
        if not alone or (seen is not None and last_use(folder) != seen):
            return False
        # The record first: a folder without it does not exist, wherever this is broken off.
        (folder / RECORD_FILE).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
    return True


def last_use(folder: Path) -> int:
    """When an artifact was made or last served (the mtime of its record, nanoseconds); 0 without a record."""
    try:
        return (folder / RECORD_FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def size_of(path: Path) -> int:
    """Bytes of a file, or of the files under a folder."""
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return sum(status.st_size for file in files if (status := _status(file)) and not file.is_dir())


def age_days(path: Path) -> float:
    """Days since anything in it changed."""
    statuses = [_status(place) for place in (path, *path.rglob("*"))]
    return (time.time() - max((status.st_mtime for status in statuses if status), default=0.0)) / DAY


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None  # It went while it was looked at.


def _delete(paths: Sequence[Path]) -> bool:
    for path in paths:
        with disk_errors(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return True
