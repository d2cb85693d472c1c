"""The shared store behind the home: `STILLHOUSE_STORE` holds what every machine has computed.

    <store>/artifacts/<stage>/<key>/record.json           written last, by whoever is first
    <store>/artifacts/<stage>/<key>/<digest>/<files>      content of one digest: written once, never changed

Stages read and write under the home alone. A miss there is looked for here and downloaded; what was computed is
uploaded before it exists in the home. Two machines that made different bytes under one key never touch each other's files:
the record names one, that of the first, and the second takes it over.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from infra.errors import StoreError
from infra.files import disk_errors, file_digest, write_atomically
from infra.settings import Settings
from infra.store.artifacts import BESIDE, KEY_LENGTH, Store, content_digest
from infra.store.record import HISTORY_FILE, RECORD_FILE, FileRecord, Record
from infra.store.shared.bucket import in_parallel
from infra.store.shared.download import download
from infra.store.shared.markers import SharedMarkers
from infra.store.shared.object_store import ObjectStore

MIB = 1 << 20
TRIES = 3  # at being first, or at reading who was, while others write and mend the same
ADOPTED = "adopted"  # in a key's work folder: another machine's files on their way
Count = TypeVar("Count")


@dataclass(frozen=True)
class Found:
    """What the shared store has under a key: a record, or what is wrong with it (`damaged`: it serves nobody)."""

    record: Record | None = None
    problem: str | None = None
    damaged: bool = False


@dataclass(frozen=True)
class Transfer:
    """What an upload came to, bytes; `winner` is what another machine had put there before, if it is not the same."""

    files: int
    size: int
    sent: int
    winner: Found = Found()

    @property
    def other(self) -> str | None:
        """Digest of what stands there instead, or why it cannot be read; None where the record sent stands there."""
        return self.winner.record.digest if self.winner.record else self.winner.problem


class RemoteStore:
    """Artifacts in a shared store, and which of a home's are known to be there."""

    def __init__(self, settings: Settings, store: Store, objects: ObjectStore, url: str) -> None:
        self.store, self.objects, self.url = store, objects, url
        self.part_bytes = settings.store_part_mib * MIB
        self.known = SharedMarkers.of(settings, url)

    def record(self, stage: str, key: str) -> Found:
        """The record under a key; nothing else is downloaded."""
        data = self.objects.read(f"{_place(stage, key)}/{RECORD_FILE}")
        if data is None:
            return Found()
        try:
            record = Record.model_validate(json.loads(data))
        except json.JSONDecodeError:
            return Found(None, f"{self.url}: the record of {stage} is not JSON", damaged=True)
        except ValueError:
            return Found(None, f"{self.url}: the record of {stage} is not one of this version")
        if (record.stage, record.key) != (stage, key):
            return Found(None, f"{self.url}: the record of {stage} is that of another key")
        if content_digest(record.files) != record.digest or not all(map(_is_inside, record.files)):
            return Found(None, f"{self.url}: the record of {stage} is not that of its files", damaged=True)
        return Found(record)

    def knows(self, record: Record) -> bool:
        """Whether it was there when this home last looked; nothing is asked."""
        return self.known.knows(record.stage, record.key)

    def holds(self, record: Record) -> bool:
        """Whether this very artifact, by digest and sizes, is there for the next who asks."""
        found = self.record(record.stage, record.key).record
        there = self.objects.sizes(_content(record))
        whole = all(there.get(name) == file.size for name, file in record.files.items())
        return found is not None and found.digest == record.digest and whole

    def fetch(self, stage: str, key: str) -> Found:
        """Download the artifact under a key into the home, every file's sha256 checked, its record written last.

        The caller holds the key. What a broken download or a damaged artifact left is used where it is right. What is
        damaged there is taken away, so that it can be made anew. Raises StoreError where the store or the disk
        refuses; nothing has become visible then.
        """
        found = self.record(stage, key)
        if found.record is None:
            self.known.forget(stage, key)
            return self._withdraw(stage, key, found) if found.damaged else found
        record, folder = found.record, self.store.folder(stage, key)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / RECORD_FILE).unlink(missing_ok=True)
            _clear(folder, record)
            if wrong := self._download(record, folder):
                return self._withdraw_files(record, wrong)
            here = record.model_copy(update={"files": _with_own_times(folder, record)})
            write_atomically(folder / RECORD_FILE, here.model_dump_json(indent=2) + "\n")
        self.known.remember(record.stage, record.key)
        return Found(here)

    def push(self, record: Record) -> Transfer:
        """Upload an artifact of the home: files that are not there yet, then its record, unless there is one.

        Raises StoreError where the store refuses, or the files here are no longer those of the record.
        """
        folder, content = self.store.folder(record.stage, record.key), _content(record)
        there = self.objects.sizes(content)
        missing = [name for name, file in record.files.items() if there.get(name) != file.size]
        for name in missing:
            if not (folder / name).is_file() or file_digest(folder / name) != record.files[name].sha256:
                raise StoreError(f"{folder / name} does not have the bytes of its record: it is not shared.")
        if (folder / HISTORY_FILE).is_file() and HISTORY_FILE not in there:
            missing.append(HISTORY_FILE)
        sizes = {name: (folder / name).stat().st_size for name in missing}
        counts = self._each(lambda name: self.objects.send(folder / name, f"{content}/{name}"), sizes)
        winner = self._create_record(record)
        self.known.remember(record.stage, record.key)
        size = sum(file.size for file in record.files.values())
        return Transfer(len(record.files), size, sum(counts.values()), winner)

    def publish(self, record: Record) -> tuple[Transfer, Record]:
        """Upload what was just computed, and give the record that is to exist in the home: that of whoever was first.

        Where that is another machine's and its bytes differ, they lie in the home afterwards, and the own are gone. The
        caller holds the key, and has not written its record yet. Raises StoreError where the store or the disk
        refuses: the home then has what it computed.
        """
        for _ in range(TRIES):
            sent = self.push(record)
            if sent.winner.record is None:
                return sent, record
            if (adopted := self._adopt(sent.winner.record)) is not None:
                return sent, adopted
        raise StoreError(
            f"{self.url}: {record.stage} is there from another machine, and damaged each time it was read: expected "
            "whole files, or none. Run `python -m infra.cli store push` when nobody else computes it."
        )

    def _create_record(self, record: Record) -> Found:
        """Write the record unless there is one; what stands there instead. One that serves nobody is replaced."""
        name = f"{_place(record.stage, record.key)}/{RECORD_FILE}"
        text = record.model_dump_json(indent=2) + "\n"
        for _ in range(TRIES):
            if self.objects.create(name, text.encode()):
                return Found()
            found = self.record(record.stage, record.key)
            if found.record is not None and found.record.digest == record.digest:
                return Found()
            if found.damaged:
                self.objects.delete(name)
            elif found != Found():
                return found
        raise StoreError(
            f"{self.url}: the record of {record.stage} comes and goes: expected it to be written once. Run the flow again."
        )

    def _adopt(self, winner: Record) -> Record | None:
        """Put the files of another machine in the place of those in the home; None when they are damaged there."""
        folder = self.store.folder(winner.stage, winner.key)
        fetched = self.store.work_dir(winner.key) / ADOPTED
        with disk_errors(fetched):
            fetched.mkdir(parents=True, exist_ok=True)
            _clear(fetched, winner)
            if wrong := self._download(winner, fetched):
                self._withdraw_files(winner, wrong)
                return None
        shutil.rmtree(folder)
        shutil.move(fetched, folder)
        return winner.model_copy(update={"files": _with_own_times(folder, winner)})

    def _download(self, record: Record, folder: Path) -> list[str]:
        """Get every file; names of those that are not what the record says."""
        content = _content(record)
        there = self.objects.sizes(content)
        wrong = [name for name, file in record.files.items() if there.get(name) != file.size]
        if wrong:
            return wrong
        sizes = {name: file.size for name, file in record.files.items()}
        right = self._each(
            lambda name: self._get(f"{content}/{name}", folder / name, record.files[name]), sizes
        )
        if HISTORY_FILE in there and (history := self.objects.read(f"{content}/{HISTORY_FILE}")):
            (folder / HISTORY_FILE).write_bytes(history)
        return [name for name, whole in right.items() if not whole]

    def _get(self, name: str, path: Path, file: FileRecord) -> bool:
        return download(
            self.objects,
            name,
            path,
            file.size,
            self.part_bytes,
            lambda path: file_digest(path) == file.sha256,
        )

    def _each(self, work: Callable[[str], Count], sizes: dict[str, int]) -> dict[str, Count]:
        """Small files side by side; large ones one by one, so that their parts in memory are few."""
        small = [name for name, size in sizes.items() if size <= self.part_bytes]
        large = [name for name in sizes if name not in set(small)]
        done = dict(zip(small, in_parallel(work, small), strict=True))
        return done | {name: work(name) for name in large}

    def _withdraw_files(self, record: Record, wrong: list[str]) -> Found:
        problem = f"{self.url}: {record.stage}/{wrong[0]} does not have the bytes of its record"
        damage = Found(None, problem, damaged=True)
        objects = [f"{_content(record)}/{name}" for name in wrong]
        return self._withdraw(record.stage, record.key, damage, objects)

    def _withdraw(self, stage: str, key: str, damage: Found, objects: list[str] | None = None) -> Found:
        """Take a damaged artifact's record away, then what is damaged, so that the next push mends it."""
        self.known.forget(stage, key)
        try:
            for name in (f"{_place(stage, key)}/{RECORD_FILE}", *(objects or ())):
                self.objects.delete(name)
        except StoreError as error:
            return Found(None, f"{damage.problem}, and stays so: {error}", damaged=True)
        return damage


def _place(stage: str, key: str) -> str:
    return f"artifacts/{stage}/{key[:KEY_LENGTH]}"


def _content(record: Record) -> str:
    return f"{_place(record.stage, record.key)}/{record.digest[:KEY_LENGTH]}"


def _is_inside(name: str) -> bool:
    """A file of the artifact's own folder: a record from elsewhere must not reach out of it."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and bool(path.parts) and name not in BESIDE


def _clear(folder: Path, record: Record) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in record.files:
            path.unlink()


def _with_own_times(folder: Path, record: Record) -> dict[str, FileRecord]:
    """The files with their times on this disk, which the cheap check compares."""
    return {
        name: file.model_copy(update={"mtime_ns": (folder / name).stat().st_mtime_ns})
        for name, file in record.files.items()
    }
