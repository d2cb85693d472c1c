"""Files: written whole or not at all, locked, named by their bytes, and the disk's refusals with what to do about them."""

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from infra.errors import ArtifactError, StoreError

CHUNK = 1 << 20
# `.<name>.<process>` is what earlier versions wrote.
TEMPORARY = re.compile(r"\..+\.([0-9]+|[0-9a-f]{32})")
NO_LOCKS = (
    "its file system has no locks that die with their holder (flock); set STILLHOUSE_HOME to a folder on a local disk "
    "(only the shared store belongs on a network disk)"
)
DISK_ERRORS = {
    errno.ENOSPC: "the disk is full; free space (`python -m infra.cli gc` frees what no release reaches)",
    errno.EDQUOT: "the disk quota is used up; free space (`python -m infra.cli gc`)",
    errno.EROFS: "it is on a read-only file system; set STILLHOUSE_HOME to a folder that can be written",
    errno.EACCES: "there is no permission to write; set STILLHOUSE_HOME to a folder of yours",
    errno.EPERM: "it is not permitted to write; set STILLHOUSE_HOME to a folder of yours",
    errno.ENOSYS: NO_LOCKS,
    errno.EOPNOTSUPP: NO_LOCKS,
    errno.ENOLCK: NO_LOCKS,
}


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into a StoreError with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise StoreError(f"{place} cannot be written: {DISK_ERRORS[error.errno]}.") from error
        raise


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or none: beside it, flushed to the disk, then renamed. What fails leaves nothing behind.

    The name beside it is this write's alone, whatever thread, process or host writes the same file meanwhile. (Not
    `tempfile`: its files are for their owner alone, and the umask is to decide.)
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def file_lock(path: Path) -> FileLock:
    """The lock that a file stands for, held by one at a time; it goes when its holder dies, however it dies.

    It is `flock`'s or none: where a disk has none, filelock would make a file that outlives a holder who is killed.
    """
    return FileLock(path, fallback_to_soft=False)


def prove_locks(file: int) -> None:
    """Take and leave a lock of an open file nobody else has; OSError where its file system has none."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(file, fcntl.LOCK_UN)


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, read in pieces. Raises ArtifactError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                digest.update(piece)
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}): expected a readable file. Check the path."
        ) from None
    return digest.hexdigest()


def combined_digest(digests: Iterable[tuple[str, str]]) -> str:
    """sha256 of the sorted list of (relative name, sha256) of a folder's files."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def path_digest(path: Path) -> str:
    """Digest of a file, or of all files of a folder."""
    return folder_digest(path) if path.is_dir() else file_digest(path)


def folder_digest(folder: Path, names: Iterable[Path] | None = None) -> str:
    """Digest of a folder's files (all of them, or those named)."""
    files = [path for path in folder.rglob("*") if path.is_file()] if names is None else list(names)
    return combined_digest((path.relative_to(folder).as_posix(), file_digest(path)) for path in files)
