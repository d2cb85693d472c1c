"""The artifact store: one folder a key, verified when it is found, visible only once its record is written."""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from infra.errors import ArtifactError, InputChanged, StageStopped
from infra.files import disk_errors, make_folder, make_home, write_atomically
from infra.settings import Settings
from infra.store.contents import are_own, damage, times_here
from infra.store.elsewhere import Elsewhere, elsewhere_of
from infra.store.locks import NAME_LENGTH, alone_if_free, alone_on
from infra.store.record import BESIDE, ELSEWHERE_FILE, RECORD_FILE, UNPUBLISHED_FILE, Record
from infra.store.references import STORE_SCHEME, ArtifactRef

KEY_LENGTH = NAME_LENGTH
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Lookup:
    """What the store has under a key: a verified record, or why not (`problem` names damage, None if never there).

    `remote`: only the record is here; the files are in the shared store, and `Store.path` fetches them.
    """

    record: Record | None
    problem: str | None = None
    remote: bool = False


class Store:
    """Artifacts under one home."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.elsewhere: Elsewhere | None = None  # set by who opens the shared store
        self._held = threading.local()  # keys that this thread holds by `lock`, with their open files

    def folder(self, stage: str, key: str) -> Path:
        """Where the artifact of a key lies or would lie."""
        return self.settings.artifacts / stage / key[:KEY_LENGTH]

    def work_dir(self, key: str) -> Path:
        """Where a stage keeps what must outlive a kill."""
        return self.settings.work / key[:KEY_LENGTH]

    def path(self, ref: ArtifactRef) -> Path:
        """Folder (or file) of a reference; what only the shared store has is fetched, and waited for.

        Raises ArtifactError when nothing is there, or it cannot be had.
        """
        if ref.uri.startswith(STORE_SCHEME):
            path = self.settings.artifacts / ref.uri.removeprefix(STORE_SCHEME)
            if (record := self.record_of(ref)) is not None:
                self._bring(record, lambda there: there.bring(record))
        else:
            path = Path(unquote(urlparse(ref.uri).path))
        if not path.exists():
            raise ArtifactError(
                f"{ref.uri} is not there: expected {path}. Run the flow again; it is made anew."
            )
        return path

    def part(self, record: Record, names: Collection[str]) -> Path:
        """Folder of an artifact of the home with the named of its files, which is all that may be read there.

        Where the files are in the shared store alone, these come from it and no others: the artifact stays there. Raises
        ArtifactError or StoreError when they cannot be had; nothing is computed for them.
        """
        self._bring(record, lambda there: there.bring_part(record, names))
        return self.folder(record.stage, record.key)

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
        if (record.stage, record.key) != (stage, key):
            return Lookup(None, f"{folder} belongs to the key {record.key[:KEY_LENGTH]} of {record.stage}")
        if not are_own(record.files):
            return Lookup(None, f"{folder / RECORD_FILE} names what can be no file of {folder}")
        if (address := elsewhere_of(folder)) is not None:
            return self._find_elsewhere(record, address, full)
        for name, file in record.files.items():
            if problem := damage(folder / name, file, full):
                return Lookup(None, problem)
        here = times_here(folder, record)
        if here != record:
            self._note_times(text, here)
        return Lookup(here)

    def use(self, record: Record) -> None:
        """Note that an artifact is used now: `gc` and eviction go by its record's mtime. A read-only home stays as it is."""
        with _unless_read_only():
            os.utime(self.folder(record.stage, record.key) / RECORD_FILE)

    def is_here(self, record: Record) -> bool:
        """Whether its files are in the home, and not in the shared store alone."""
        return elsewhere_of(self.folder(record.stage, record.key)) is None

    def leave_record(self, record: Record) -> None:
        """Take the files of an artifact away, which the shared store of the settings has. The caller holds the key."""
        folder = self.folder(record.stage, record.key)
        with disk_errors(folder):
            write_atomically(folder / ELSEWHERE_FILE, f"{self.settings.store}\n")
            for path in folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name not in BESIDE:
                    path.unlink()

    def _find_elsewhere(self, record: Record, address: str, full: bool) -> Lookup:
        """A record alone is a hit, unless its files cannot be had, or every byte of them is to be read."""
        where = f"the files of {record.stage} are in {address} alone"
        if address != self.settings.store:
            return Lookup(None, f"{where}, and STILLHOUSE_STORE is {self.settings.store or 'not set'}")
        if full:
            return Lookup(None)
        if self.elsewhere is not None and not self.elsewhere.answers():
            return Lookup(None, f"{where}, which does not answer")
        return Lookup(record, remote=True)

    def _bring(self, record: Record, files: Callable[[Elsewhere], None]) -> None:
        """Fetch files of an artifact that has only its record here; another process may be doing it."""
        folder = self.folder(record.stage, record.key)
        if (address := elsewhere_of(folder)) is not None:
            there = self._reach(record, address)
            with self.lock(record.key):
                if elsewhere_of(folder) is not None:
                    files(there)

    def _reach(self, record: Record, address: str) -> Elsewhere:
        """The shared store at `address`. Raises ArtifactError when it is not that of the settings."""
        if self.elsewhere is None or address != self.settings.store:
            raise ArtifactError(
                f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}: its files are in {address} alone, and "
                f"STILLHOUSE_STORE is {self.settings.store or 'not set'}: expected them here. Set "
                f"STILLHOUSE_STORE={address} and run the flow again, or run it without: it is made anew."
            )
        return self.elsewhere

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None] | None = None) -> Iterator[int]:
        """Hold the key alone; gives the lock's open file, by which a child process holds it too (see `alone_on`)."""
        with ExitStack() as stack:
            with disk_errors(self.settings.locks):
                make_folder(self.settings, self.settings.locks)
                file = stack.enter_context(alone_on(self.settings.locks, key, waiting))
            held: dict[str, int] = self._held.__dict__.setdefault("keys", {})
            held[key] = file
            stack.callback(held.pop, key)
            yield file

    def held_lock(self, key: str) -> int:
        """The open file of a key that this thread holds by `lock`."""
        return int(self._held.keys[key])

    def _note_times(self, text: bytes, record: Record) -> None:
        """Files that were hashed and found right are known by their mtimes from now on, as in a home that was copied.

        Who else holds the key may be writing the record or freeing it: the next look does it then.
        """
        place = self.folder(record.stage, record.key) / RECORD_FILE
        with _unless_read_only(), ExitStack() as held:
            if record.key not in self._held.__dict__.get("keys", ()):
                make_folder(self.settings, self.settings.locks)
                if not held.enter_context(alone_if_free(self.settings.locks, record.key)):
                    return
            if place.is_file() and place.read_bytes() == text:
                write_atomically(place, record.model_dump_json(indent=2) + "\n")

    @contextmanager
    def writing(self, stage: str, key: str) -> Iterator[tuple[Path, Path]]:
        """Empty output folder and kept work folder for a key; an error takes the output away again."""
        output, work = self.folder(stage, key), self.work_dir(key)
        with disk_errors(self.settings.home):
            if output.exists():
                shutil.rmtree(output)
            make_home(self.settings)
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
            (folder / UNPUBLISHED_FILE).unlink(missing_ok=True)
        shutil.rmtree(self.work_dir(record.key), ignore_errors=True)

    def note_unpublished(self, record: Record) -> None:
        """Keep the record of what was computed while the shared store is told of it, which may take long and be killed."""
        folder = self.folder(record.stage, record.key)
        with disk_errors(folder):
            write_atomically(folder / UNPUBLISHED_FILE, record.model_dump_json(indent=2) + "\n")

    def unpublished(self, stage: str, key: str) -> Record | None:
        """What a killed run had computed and was putting into the shared store, if it is still as it was."""
        folder = self.folder(stage, key)
        record = _readable(folder / UNPUBLISHED_FILE)
        if record is None or (record.stage, record.key) != (stage, key) or not are_own(record.files):
            return None
        whole = not any(damage(folder / name, file, full=False) for name, file in record.files.items())
        return record if whole else None

    def records(self, stage: str | None = None) -> Iterator[Record]:
        """Every readable record, newest first."""
        found = []
        for path in self.settings.artifacts.glob(f"{stage or '*'}/*/{RECORD_FILE}"):
            record = _readable(path)
            # What is done to one is done in its folder.
            if record is not None and path.parent == self.folder(record.stage, record.key):
                found.append(record)
        yield from sorted(found, key=lambda record: record.finished, reverse=True)

    def record_of(self, ref: ArtifactRef) -> Record | None:
        """The record beside a reference's artifact, None when it is not from the store."""
        if not ref.uri.startswith(STORE_SCHEME):
            return None
        return _readable(self.settings.artifacts / ref.uri.removeprefix(STORE_SCHEME) / RECORD_FILE)


def _readable(path: Path) -> Record | None:
    """A record; None for none of ours: `find` says so when its key is asked for."""
    try:
        return Record.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
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
