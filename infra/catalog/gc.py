"""Freeing disk: artifacts that no release reaches, tables that no artifact was read from, and what killed stages left.

Kept are the releases and data sets that were published from here, what was measured of a release, everything these were
made from however far back, and whatever is younger than a number of days. A stage whose artifact was freed is
computed again when it is asked for, or fetched where a shared store has it: nothing but time is lost. Nothing is ever
freed in a shared store: other homes count on it.
"""

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from infra.catalog.lineage import ancestors
from infra.engine.abandoned import live_runs
from infra.errors import StoreError
from infra.files import disk_errors
from infra.hub.connect import open_hub
from infra.hub.local import LocalHub
from infra.hub.protocol import FOLDERS
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import RECORD_FILE, Record


@dataclass(frozen=True)
class Garbage:
    """A folder that can go: its size in bytes, and why nobody needs it."""

    path: Path
    size: int
    why: str


def find_garbage(settings: Settings, keep_days: float, keep_releases: int | None = None) -> list[Garbage]:
    """Folders that can go, largest first. Of each repository the newest `keep_releases` count, and `main` (None: all)."""
    store = Store(settings)
    records = list(store.records())
    keys = kept_keys(settings, records, keep_days, keep_releases)
    kept = {key[:KEY_LENGTH] for key in keys}
    whole = {record.key[:KEY_LENGTH] for record in records}
    garbage = []
    for folder in sorted(settings.artifacts.glob("*/*")):
        if folder.name not in whole:
            garbage.append(Garbage(folder, _size(folder), "a stage was killed here"))
        elif folder.name not in kept:
            garbage.append(Garbage(folder, _size(folder), "no kept release reaches it"))
    for folder in sorted(settings.work.glob("*")):
        if folder.name in whole or _age_days(folder) > keep_days:
            garbage.append(Garbage(folder, _size(folder), "checkpoints of a stage that was not resumed"))
    garbage += _old_tables(settings, [record for record in records if record.key in keys], keep_days)
    return sorted(garbage, key=lambda item: item.size, reverse=True)


def _old_tables(settings: Settings, kept: list[Record], keep_days: float) -> list[Garbage]:
    """Versions of the embedded warehouse's public data that no kept record was made from; they can be made again."""
    read = {uri for record in kept for given in record.inputs.values() for uri in given.uri.split(";")}
    garbage = []
    for folder in sorted(path for path in settings.warehouse_folder.glob("*/*") if path.is_dir()):
        if folder.name.startswith("."):
            garbage.append(
                Garbage(folder, _size(folder), "tables that were being made, or freed, when it was killed")
            )
        elif folder.as_uri() not in read and _age_days(folder) > keep_days:
            garbage.append(Garbage(folder, _size(folder), "tables that no kept artifact was made from"))
    return garbage


def free(settings: Settings, garbage: list[Garbage]) -> list[Garbage]:
    """Delete garbage and return what went; what another process holds locked stays.

    Raises StoreError while a flow runs in this home: a hit that it counts on might be what goes.
    """
    if running := live_runs(settings):
        who = ", ".join(f"{run.flow} (process {run.pid} on {run.host})" for run in running)
        raise StoreError(
            f"a flow is under way in {settings.home}: {who}. Nothing was freed; run gc when it has ended."
        )
    return [item for item in garbage if free_folder(settings, item.path)]


def free_folder(settings: Settings, folder: Path) -> bool:
    """Delete the folder of a key; False when another process holds it."""
    lock = FileLock(settings.locks / f"{folder.name}.lock")
    with disk_errors(folder):
        settings.locks.mkdir(parents=True, exist_ok=True)
        try:
            with lock.acquire(blocking=False):
                # The record first: a folder without it does not exist, wherever this is broken off.
                (folder / RECORD_FILE).unlink(missing_ok=True)
                if folder.is_relative_to(settings.warehouse_folder) and not folder.name.startswith("."):
                    folder = folder.rename(
                        folder.with_name(f".{folder.name}.freed")
                    )  # Tables are there or not, too.
                shutil.rmtree(folder)
        except Timeout:
            return False
    return True


def kept_keys(
    settings: Settings, records: list[Record], keep_days: float, keep_releases: int | None
) -> set[str]:
    """Keys of the records that stay."""
    oldest = (datetime.now(UTC) - timedelta(days=keep_days)).isoformat()
    published = _published_files(settings, keep_releases)
    releases = [record for record in records if _is_published(record, published)]
    recent = [record for record in records if record.finished >= oldest]
    evidence = _evidence(records, [record for record in releases if record.kind == "ReleaseRef"])
    return ancestors(records, [*releases, *recent, *evidence])


def _is_published(record: Record, published: set[str]) -> bool:
    """All of its files are in the Hub, under whatever names: a tokenizer alone is shared by many."""
    return bool(record.files) and {file.sha256 for file in record.files.values()} <= published


def _evidence(records: list[Record], releases: list[Record]) -> list[Record]:
    """What was measured of releases: everything that has one among its inputs, directly or further back."""
    known = {record.digest for record in releases}
    found: list[Record] = []
    for record in sorted(
        records, key=lambda record: record.finished
    ):  # What a record was made from is older.
        if any(given.digest in known for given in record.inputs.values()):
            known.add(record.digest)
            found.append(record)
    return found


def _published_files(settings: Settings, keep_releases: int | None) -> set[str]:
    """sha256 of every file of the kept revisions, in the folder of the local Hub and in the one of the settings."""
    digests: set[str] = set()
    for hub in dict.fromkeys((LocalHub(settings.hub_folder), open_hub(settings))):
        for kind in FOLDERS:
            for repo in hub.repositories(kind):
                main, published = hub.main(kind, repo), hub.revisions(kind, repo)
                # After a rollback `main` is not the newest.
                kept = [*published[:keep_releases], *(item for item in published if item.revision == main)]
                for revision in {item.revision for item in kept}:
                    digests |= hub.file_digests(kind, repo, revision)
    return digests


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _age_days(folder: Path) -> float:
    newest = max((path.stat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
    return (time.time() - newest) / 86_400
