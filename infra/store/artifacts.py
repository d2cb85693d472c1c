"""The artifact store: one folder a key, verified when it is found, visible only once its record is written."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from filelock import Timeout

from infra.errors import ArtifactError, InputChanged, StageStopped, StillhouseError
from infra.files import combined_digest, disk_errors, file_digest, write_atomically
from infra.settings import Settings
from infra.store.locks import NAME_LENGTH, key_lock
from infra.store.record import HISTORY_FILE, PROVENANCE_FILE, RECORD_FILE, FileRecord, Record
from infra.store.references import STORE_SCHEME, ArtifactRef

KEY_LENGTH = NAME_LENGTH
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
BESIDE = frozenset({RECORD_FILE, HISTORY_FILE, PROVENANCE_FILE})


@dataclass(frozen=True)
class Lookup:
    """What the store has under a key: a verified record, or why not (`problem` names damage, None if never there)."""

    record: Record | None
    problem: str | None = None


class Store:
    """Artifacts under one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def folder(self, stage: str, key: str) -> Path:
        """Where the artifact of a key lies or would lie."""
        return self.settings.artifacts / stage / key[:KEY_LENGTH]

    def work_dir(self, key: str) -> Path:
        """Where a stage keeps what must outlive a kill."""
        return self.settings.work / key[:KEY_LENGTH]

    def path(self, ref: ArtifactRef) -> Path:
        """Folder (or file) of a reference. Raises ArtifactError when nothing is there."""
        if ref.uri.startswith(STORE_SCHEME):
            path = self.settings.artifacts / ref.uri.removeprefix(STORE_SCHEME)
        else:
            path = Path(unquote(urlparse(ref.uri).path))
        if not path.exists():
            raise ArtifactError(
                f"{ref.uri} is not there: expected {path}. Run the flow again; it is made anew."
            )
        return path

    def find(self, stage: str, key: str, full: bool = False) -> Lookup:
        """The record under a key, verified: by size and mtime, by every byte with `full` or where those changed."""
        folder = self.folder(stage, key)
        try:
            text = (folder / RECORD_FILE).read_bytes()
            record = Record.model_validate_json(text)
        except FileNotFoundError:
            return Lookup(None, f"{folder} has no {RECORD_FILE}" if _has_files(folder) else None)
        except ValueError:
            return Lookup(None, f"{folder / RECORD_FILE} is not a record of this version")
        if record.key != key:
            return Lookup(None, f"{folder} belongs to the key {record.key[:KEY_LENGTH]}")
        for name, file in record.files.items():
            if problem := _damage(folder / name, file, full):
                return Lookup(None, problem)
        here = record.model_copy(update={"files": times_here(folder, record)})
        if here != record:
            self._note_times(text, here)
        return Lookup(here)

    def use(self, record: Record) -> None:
        """Note that an artifact is used now: `gc` and eviction go by its record's mtime. A read-only home stays as it is."""
        with _unless_read_only():
            os.utime(self.folder(record.stage, record.key) / RECORD_FILE)

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the key alone. The lock is `flock`'s: it goes when its holder dies, however it dies."""
        with disk_errors(self.settings.locks):
            self.settings.locks.mkdir(parents=True, exist_ok=True)
            lock = key_lock(self.settings.locks, key)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                if waiting is not None:
                    waiting()
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _note_times(self, text: bytes, record: Record) -> None:
        """Files that were hashed and found right are known by their mtimes from now on, as in a home that was copied.

        Whoever holds the key may be writing the record or freeing it: the next look does it then.
        """
        place = self.folder(record.stage, record.key) / RECORD_FILE
        with _unless_read_only():
            self.settings.locks.mkdir(parents=True, exist_ok=True)
            try:
                with key_lock(self.settings.locks, record.key).acquire(blocking=False):
                    if place.is_file() and place.read_bytes() == text:
                        write_atomically(place, record.model_dump_json(indent=2) + "\n")
            except Timeout:
                return

    @contextmanager
    def writing(self, stage: str, key: str) -> Iterator[tuple[Path, Path]]:
        """Empty output folder and kept work folder for a key; an error takes the output away again."""
        output, work = self.folder(stage, key), self.work_dir(key)
        with disk_errors(self.settings.home):
            if output.exists():
                shutil.rmtree(output)
            output.mkdir(parents=True)
            work.mkdir(parents=True, exist_ok=True)
            try:
                yield output, work
            except BaseException as error:
                shutil.rmtree(output, ignore_errors=True)
                if isinstance(error, StageStopped | InputChanged) or not _has_files(work):
                    shutil.rmtree(work, ignore_errors=True)
                raise

    def commit(self, record: Record) -> None:
        """Make the artifact exist: its record, by an atomic rename, and then the work folder's end."""
        folder = self.folder(record.stage, record.key)
        with disk_errors(folder):
            write_atomically(folder / RECORD_FILE, record.model_dump_json(indent=2) + "\n")
        shutil.rmtree(self.work_dir(record.key), ignore_errors=True)

    def records(self, stage: str | None = None) -> Iterator[Record]:
        """Every readable record, newest first."""
        pattern = f"{stage or '*'}/*/{RECORD_FILE}"
        found = []
        for path in self.settings.artifacts.glob(pattern):
            try:
                found.append(Record.model_validate_json(path.read_bytes()))
            except (OSError, ValueError):
                continue  # Not a record of ours: `find` says so when its key is asked for.
        yield from sorted(found, key=lambda record: record.finished, reverse=True)

    def record_of(self, ref: ArtifactRef) -> Record | None:
        """The record beside a reference's artifact, None when it is not from the store."""
        if not ref.uri.startswith(STORE_SCHEME):
            return None
        path = self.settings.artifacts / ref.uri.removeprefix(STORE_SCHEME) / RECORD_FILE
        try:
            return Record.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            return None


def measure_files(folder: Path) -> dict[str, FileRecord]:
    """Size, mtime and sha256 of every file of an artifact (not of its record and metric history).

    Raises ArtifactError for a symbolic link: what it points to would be lost elsewhere, or change under the record.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ArtifactError(
                f"{path} is a symbolic link to {path.readlink()}: expected a stage's output to be files of its own. "
                "Copy there what the link points to. Correct the stage."
            )
        if path.is_file() and name not in BESIDE:
            status = path.stat()
            files[name] = FileRecord(
                sha256=file_digest(path), size=status.st_size, mtime_ns=status.st_mtime_ns
            )
    if not files:
        raise StillhouseError(
            f"{folder} is empty: expected the stage to write files there. Correct the stage."
        )
    return files


def times_here(folder: Path, record: Record) -> dict[str, FileRecord]:
    """The files of a record with their mtimes on this disk, which the cheap check compares."""
    return {
        name: file.model_copy(update={"mtime_ns": (folder / name).stat().st_mtime_ns})
        for name, file in record.files.items()
    }


def content_digest(files: Mapping[str, FileRecord]) -> str:
    """Digest of an artifact from its files' digests."""
    return combined_digest((name, file.sha256) for name, file in files.items())


def _damage(path: Path, file: FileRecord, full: bool) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return f"{path} is missing"
    if status.st_size != file.size:
        return f"{path} has {status.st_size} bytes, its record says {file.size}"
    untouched = status.st_mtime_ns == file.mtime_ns and not full
    if not untouched and file_digest(path) != file.sha256:
        return f"{path} does not have the bytes of its record"
    return None


@contextmanager
def _unless_read_only() -> Iterator[None]:
    """What is only noted for later is left undone where nothing can be written; any other error counts."""
    try:
        yield
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
