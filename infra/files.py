"""Files: written whole or not at all, locked, named by their bytes, and the disk's refusals with what to do about them."""

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from uuid import uuid4

from filelock import FileLock

from infra.errors import ArtifactError, StoreError
from infra.home import MARK, SAYS
from infra.settings import Settings

# `.<name>.<process>` is what earlier versions wrote.
TEMPORARY = re.compile(r"\..+\.([0-9]+|[0-9a-f]{32})")
NO_LOCKS = (
    "its file system has no locks that die with their holder (flock); set STILLHOUSE_HOME to a folder on a local disk "
    "(only the shared store belongs on a network disk)"
)
DISK_ERRORS = {
    errno.ENOSPC: "the disk is full; free space (`stillhouse artifacts gc` frees what no release reaches)",
    errno.EDQUOT: "the disk quota is used up; free space (`stillhouse artifacts gc`)",
    errno.EROFS: "it is on a read-only file system; set STILLHOUSE_HOME to a folder that can be written",
    errno.EACCES: "there is no permission to write; set STILLHOUSE_HOME to a folder of yours",
    errno.EPERM: "it is not permitted to write; set STILLHOUSE_HOME to a folder of yours",
    errno.ENOSYS: NO_LOCKS,
    errno.EOPNOTSUPP: NO_LOCKS,
    errno.ENOLCK: NO_LOCKS,
}

_NO_PERMISSION = (errno.EACCES, errno.EPERM)
_NO_ROOM, _NO_RIGHT = (
    "Free space there, or name another place.",
    "Give yourself the permission, or name another file.",
)
ELSEWHERE = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EROFS: "Name another place, one that can be written.",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
}


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below `place` into a StoreError with the remedy.

    A file elsewhere that is refused, such as an input that may not be read, is named instead.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        refused = _refused_file(error)
        if refused is None and error.errno in _NO_PERMISSION and error.strerror != os.strerror(error.errno):
            # A library's own words, which name the file (Arrow): it is not said to be ours.
            raise StoreError(f"{error.strerror}. {ELSEWHERE[error.errno]}") from error
        if refused is None or _belongs(refused, place):
            found = f"{place} cannot be written: {DISK_ERRORS[error.errno]}."
            named = refused is not None and error.errno in _NO_PERMISSION
            raise StoreError(found + (f" Refused was {refused}." if named else "")) from error
        raise StoreError(
            f"{refused} cannot be read or written ({error.strerror}): it is needed here, and lies outside of {place}. "
            f"{ELSEWHERE[error.errno]}"
        ) from error


def _belongs(refused: Path, place: Path) -> bool:
    """Below `place`, a folder on the way to it, or what is written beside a file before it is renamed."""
    beside = refused.parent == place.parent and not place.is_dir()
    return refused.is_relative_to(place) or place.is_relative_to(refused) or beside


def _refused_file(error: OSError) -> Path | None:
    """Which file the operating system named; it names none where a write to an open one fails."""
    name = error.filename2 or error.filename
    return Path(os.fsdecode(name)).absolute() if isinstance(name, str | bytes | os.PathLike) else None


def make_home(settings: Settings) -> None:
    """Make `STILLHOUSE_HOME` for its owner alone, or as the settings share it; one that stands keeps its permissions.

    Rows before anything in them is redacted lie there: no other user of the machine is to read them. The folders above it
    are made as the umask says.
    """
    if settings.home.exists():
        _mark(settings.home)
        return
    settings.home.parent.mkdir(parents=True, exist_ok=True)
    try:
        settings.home.mkdir(mode=settings.home_mode)
    except FileExistsError:
        return  # Another process was first.
    made = settings.home.stat().st_mode
    if settings.home_mode & ~made:  # The umask took away what the settings share.
        settings.home.chmod(S_IMODE(made) | settings.home_mode)
    _mark(settings.home)


def _mark(home: Path) -> None:
    """Let it be found from folders below (`infra.home`); one of an older version has no mark yet."""
    if not (home / MARK).exists():
        write_atomically(home / MARK, SAYS)


def make_folder(settings: Settings, folder: Path) -> None:
    """Make a folder under the home, and the home as `make_home` does; nothing happens where it stands."""
    make_home(settings)
    folder.mkdir(parents=True, exist_ok=True)


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a whole file or none: beside it, flushed to the disk, then renamed. What fails leaves nothing behind.

    The name beside it is this write's alone, whatever thread, process or host writes the same file meanwhile. (Not
    `tempfile`: its files are for their owner alone, and the umask is to decide.) `mode` is what the umask takes from; the
    file is never wider than that, not even while it is written.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def point_link(link: Path, target: str) -> None:
    """Make `link` lead to `target`, a name beside it, at once: it is never away. What is no link there stays."""
    if link.exists() and not link.is_symlink():
        return
    beside = link.with_name(f".{link.name}.{uuid4().hex}")
    beside.symlink_to(target)
    beside.replace(link)


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
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.strerror}): expected a readable file. Check the path."
        ) from None


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
