"""The shared store behind the home: `STILLHOUSE_STORE` holds what every machine has computed (layout.py says where).

Stages read and write under the home alone. What was computed is uploaded before it exists in the home. A miss there is
looked for here: the record comes at once, the files when somebody reads them. Two machines that made different bytes
under one key never touch each other's files: the record names one, that of the first, and the second takes it over.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from infra.errors import StoreError
from infra.files import disk_errors, file_digest, write_atomically
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.contents import are_own, content_digest, times_here
from infra.store.record import CARRIED, ELSEWHERE_FILE, RECORD_FILE, UNPUBLISHED_FILE, Record
from infra.store.shared.layout import Found, content_folder, record_name
from infra.store.shared.markers import SharedMarkers
from infra.store.shared.object_store import ObjectStore
from infra.store.shared.signing import Signing
from infra.store.shared.transfers import Transfers

MIB = 1 << 20
TRIES = 3  # at being first, or at reading who was, while others write and mend the same
ADOPTED = "adopted"  # in a key's work folder: another machine's files on their way


@dataclass(frozen=True)
class Transfer:
    """What an upload came to, bytes; `winner` is what another machine had put there before, if it is not the same, and
    `record` the one that is to exist in the home."""

    record: Record
    size: int
    sent: int
    winner: Found

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
        self._signing = Signing(settings.store_signing_key)
        self._transfers = Transfers(objects, self.part_bytes)

    def record(self, stage: str, key: str) -> Found:
        """The record under a key; nothing else is downloaded."""
        data = self.objects.read(record_name(stage, key))
        if data is None:
            return Found()
        try:
            record = Record.model_validate_json(data)
        except ValidationError as error:
            if any(wrong["type"] == "json_invalid" for wrong in error.errors(include_url=False)):
                return Found(None, f"{self.url}: the record of {stage} is not JSON", damaged=True)
            return Found(None, f"{self.url}: the record of {stage} is not one of this version")
        if (record.stage, record.key) != (stage, key):
            return Found(None, f"{self.url}: the record of {stage} is that of another key")
        if content_digest(record.files) != record.digest or not are_own(record.files):
            return Found(None, f"{self.url}: the record of {stage} is not that of its files", damaged=True)
        if not self._signing.is_right(data):
            signed = self._signing.is_signed(data)
            wrong = "has another signature than that of" if signed else "is not signed with"
            problem = f"{self.url}: the record of {stage} {wrong} STILLHOUSE_STORE_SIGNING_KEY"
            return Found(None, problem, unsigned=not signed)
        return Found(record)

    def knows(self, record: Record) -> bool:
        """Whether it was there when this home last looked; nothing is asked."""
        return self.known.knows(record.stage, record.key)

    def holds(self, record: Record, carried: bool = False) -> bool:
        """Whether this very artifact, by digest and sizes, is there for the next who asks.

        With `carried`, also what lies beside it in the home.
        """
        found = self.record(record.stage, record.key).record
        there = self.objects.sizes(content_folder(record))
        beside = self._carried(record) if carried else []
        whole = not _missing(record, there) and all(name in there for name in beside)
        return found is not None and found.digest == record.digest and whole

    def locate(self, stage: str, key: str) -> Found:
        """Put the record under a key into the home, and what lies beside the files; the files themselves stay there.

        The caller holds the key. What is damaged there, as far as sizes tell, is taken away, so that it can be made
        anew. Raises StoreError where the store or the disk refuses; nothing has become visible then.
        """
        found = self.record(stage, key)
        if found.record is None:
            self.known.forget(stage, key)
            return self._withdraw(stage, key, found) if found.damaged else found
        record, folder = found.record, self.store.folder(stage, key)
        there = self.objects.sizes(content_folder(record))
        if wrong := _missing(record, there):
            return self._withdraw_files(record, wrong)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Of the states on the way each is one that a kill may leave: without a record nothing is here.
            for own in (RECORD_FILE, UNPUBLISHED_FILE):
                (folder / own).unlink(missing_ok=True)
            self._get_carried(record, folder, there)
            write_atomically(folder / ELSEWHERE_FILE, self.url + "\n")
            write_atomically(folder / RECORD_FILE, record.model_dump_json(indent=2) + "\n")
        self.known.remember(stage, key)
        return found

    def bring(self, record: Record) -> Found:
        """Download the files of a record that lies in the home, every one's sha256 checked.

        The caller holds the key. What a broken download or a damaged artifact left is used where it is right. What is
        damaged there is taken away, and the record here, so that it can be made anew. Raises StoreError where the
        store or the disk refuses.
        """
        folder = self.store.folder(record.stage, record.key)
        with disk_errors(folder):
            if wrong := self._transfers.download(folder, content_folder(record), record.files):
                (folder / RECORD_FILE).unlink(missing_ok=True)
                return self._withdraw_files(record, wrong)
            here = times_here(folder, record)
            write_atomically(folder / RECORD_FILE, here.model_dump_json(indent=2) + "\n")
            (folder / ELSEWHERE_FILE).unlink(missing_ok=True)
        return Found(here)

    def bring_part(self, record: Record, names: Collection[str]) -> Found:
        """Download some files of a record that lies in the home, each one's sha256 checked; the others stay there.

        For the rest as `bring`: the record still says that the artifact is there alone.
        """
        folder = self.store.folder(record.stage, record.key)
        files = {name: record.files[name] for name in names}
        with disk_errors(folder):
            if wrong := self._transfers.get(folder, content_folder(record), files):
                (folder / RECORD_FILE).unlink(missing_ok=True)
                return self._withdraw_files(record, wrong)
        return Found(record)

    def fetch(self, stage: str, key: str) -> Found:
        """The record and the files of a key: `locate`, then `bring`."""
        found = self.locate(stage, key)
        return found if found.record is None else self.bring(found.record)

    def push(self, record: Record) -> Transfer:
        """Upload an artifact of the home: files that are not there yet, then its record, unless there is one.

        Raises StoreError where the store refuses, or the files here are no longer those of the record.
        """
        folder, content = self.store.folder(record.stage, record.key), content_folder(record)
        there = self.objects.sizes(content)
        missing = _missing(record, there)
        for name in missing:
            if not (folder / name).is_file() or file_digest(folder / name) != record.files[name].sha256:
                raise StoreError(f"{folder / name} does not have the bytes of its record: it is not shared.")
        missing += [name for name in self._carried(record) if name not in there]
        sent = self._transfers.upload(folder, content, missing)
        winner = self._create_record(record)
        self.known.remember(record.stage, record.key)
        size = sum(file.size for file in record.files.values())
        return Transfer(record, size, sent, winner)

    def publish(self, record: Record) -> Transfer:
        """Upload what was just computed, and give the record that is to exist in the home: that of whoever was first.

        Where that is another machine's and its bytes differ, they lie in the home afterwards, and the own are gone. The
        caller holds the key, and has not written its record yet. Raises StoreError where the store or the disk
        refuses: the home then has what it computed.
        """
        for _ in range(TRIES):
            sent = self.push(record)
            if sent.winner.record is None:
                return sent
            if (adopted := self._adopt(sent.winner.record)) is not None:
                return replace(sent, record=adopted)
        raise StoreError(
            f"{self.url}: {record.stage} is there from another machine, and damaged each time it was read: expected "
            "whole files, or none. Run `stillhouse artifacts push` when nobody else computes it."
        )

    def _create_record(self, record: Record) -> Found:
        """Write the record unless there is one; what stands there instead. One that serves nobody is replaced."""
        name, text = record_name(record.stage, record.key), self._signing.write(record)
        for _ in range(TRIES):
            if self.objects.create(name, text):
                return Found()
            found = self.record(record.stage, record.key)
            if found.record is not None and found.record.digest == record.digest:
                return Found()
            if found.damaged or found.unsigned:
                self.objects.delete(name)
            elif found != Found():
                return found
        raise StoreError(
            f"{self.url}: the record of {record.stage} comes and goes: expected it to be written once. Run the flow again."
        )

    def _adopt(self, winner: Record) -> Record | None:
        """Put the files of another machine in the place of those in the home; None when they are damaged there."""
        folder, content = self.store.folder(winner.stage, winner.key), content_folder(winner)
        fetched = self.store.work_dir(winner.key) / ADOPTED
        with disk_errors(fetched):
            fetched.mkdir(parents=True, exist_ok=True)
            if wrong := self._transfers.download(fetched, content, winner.files):
                self._withdraw_files(winner, wrong)
                return None
            self._get_carried(winner, fetched, self.objects.sizes(content))
        shutil.rmtree(folder)
        shutil.move(fetched, folder)
        return times_here(folder, winner)

    def _carried(self, record: Record) -> list[str]:
        folder = self.store.folder(record.stage, record.key)
        return [name for name in CARRIED if (folder / name).is_file()]

    def _get_carried(self, record: Record, folder: Path, there: dict[str, int]) -> None:
        """What lies beside the files there; of the home's own, nothing stays."""
        for name in CARRIED:
            (folder / name).unlink(missing_ok=True)
            if name in there and (data := self.objects.read(f"{content_folder(record)}/{name}")):
                (folder / name).write_bytes(data)

    def _withdraw_files(self, record: Record, wrong: list[str]) -> Found:
        """Take wrong files away, and their record before them, unless another one has been written since."""
        problem = f"{self.url}: {record.stage}/{wrong[0]} does not have the bytes of its record"
        objects = [f"{content_folder(record)}/{name}" for name in wrong]
        now = self.record(record.stage, record.key)
        if now.damaged or (now.record is not None and now.record.digest == record.digest):
            objects.insert(0, record_name(record.stage, record.key))
        return self._withdraw(record.stage, record.key, Found(None, problem, damaged=True), objects)

    def _withdraw(self, stage: str, key: str, damage: Found, objects: list[str] | None = None) -> Found:
        """Take what is damaged out of the store, the record if nothing is named, so that the next push mends it."""
        self.known.forget(stage, key)
        try:
            for name in objects or [record_name(stage, key)]:
                self.objects.delete(name)
        except StoreError as error:
            return Found(None, f"{damage.problem}, and stays so: {error}", damaged=True)
        return damage


def _missing(record: Record, there: dict[str, int]) -> list[str]:
    """Files that are not there in their size."""
    return [name for name, file in record.files.items() if there.get(name) != file.size]
