"""Freeing disk: artifacts that no release reaches, what was made for them, and what killed stages left.

Kept are the releases and data sets that were published from here, what was measured of a release, everything these were
made from however far back, whatever a run under way counts on, and whatever was used within a number of days. A stage
whose artifact was freed is computed again when it is asked for, or fetched where a shared store has it: nothing but time
is lost. What this version cannot read is kept. Nothing is ever freed in a shared store: other homes count on it.
"""

import re
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path

from filelock import Timeout

from infra.catalog.databases import DATABASES, spare_room
from infra.catalog.garbage import Garbage, age_days, keyed, size_of
from infra.catalog.kept import foreign_folders, kept_keys, named_in
from infra.catalog.leftovers import leftovers, lock_files, old_searches, old_snapshots
from infra.files import disk_errors
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.locks import freeing, keys_in_use
from infra.store.record import RECORD_FILE, Record
from infra.tracking.cleaning import OldRuns, find_old_runs
from infra.tracking.flow_runs import find_old_flow_runs
from infra.warehouse.github_repos import tables_lock

RUNS = "MLflow runs"
_RUN_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def find_garbage(settings: Settings, keep_days: float, keep_releases: int | None = None) -> list[Garbage]:
    """What can go, largest first. Of each repository the newest `keep_releases` count, and `main` (None: all)."""
    # In this order: a run that ends meanwhile has its record by the time that records are read.
    runs = find_old_runs(settings, keep_days)
    in_use = keys_in_use(settings.locks)
    records = list(Store(settings).records())
    foreign = foreign_folders(settings, records)
    keys = kept_keys(settings, records, keep_days, keep_releases, in_use, foreign)
    kept = [record for record in records if record.key in keys]
    runs = runs.without(_tracked_by(kept, foreign))
    garbage = [
        *_artifacts(settings, {record.key[:KEY_LENGTH] for record in kept}, in_use, foreign),
        *_checkpoints(settings, records, keep_days, in_use),
        *_old_tables(settings, kept, keep_days),
        *old_snapshots(settings, keep_days, keep_releases),
        *old_searches(settings, keep_days),
        *leftovers(settings, keep_days, runs.kept_flow_runs),
        *lock_files(settings),
        *(rows := [*_old_runs(settings, runs), *_old_flow_runs(settings, keep_days, runs, kept)]),
        *spare_room(settings, bool(rows)),
    ]
    return sorted(garbage, key=lambda item: item.size, reverse=True)


def free(settings: Settings, garbage: list[Garbage]) -> list[Garbage]:
    """Delete garbage and return what went; what somebody uses by now stays. Raises StoreError when the disk refuses."""
    # MLflow runs late: they go with the artifacts that did go. The room of rows at last.
    late = {RUNS: 1, DATABASES: 2}
    gone = [id(item) for item in sorted(garbage, key=lambda item: late.get(item.kind, 0)) if item.remove()]
    return [item for item in garbage if id(item) in gone]


def unreadable(settings: Settings) -> list[Path]:
    """Artifacts that stay because this version cannot read their record."""
    return foreign_folders(settings, list(Store(settings).records()))


def _artifacts(
    settings: Settings, kept: set[str], in_use: set[str], foreign: Collection[Path]
) -> list[Garbage]:
    garbage = []
    for folder in sorted(settings.artifacts.glob("*/*")):
        if folder in foreign or folder.name in kept or folder.name in in_use:
            continue
        whole = (folder / RECORD_FILE).is_file()
        why = "no kept release reaches it" if whole else "a stage was killed here"
        garbage.append(keyed(settings, folder, why, "artifacts"))
    return garbage


def _checkpoints(
    settings: Settings, records: list[Record], keep_days: float, in_use: set[str]
) -> list[Garbage]:
    whole = {record.key[:KEY_LENGTH] for record in records}
    old = [
        folder
        for folder in sorted(settings.work.glob("*"))
        if folder.name not in in_use and (folder.name in whole or age_days(folder) > keep_days)
    ]
    why = "checkpoints of a stage that was not resumed"
    return [keyed(settings, folder, why, "checkpoints") for folder in old]


def _old_tables(settings: Settings, kept: list[Record], keep_days: float) -> list[Garbage]:
    """Versions of the embedded warehouse's public data that no kept record was made from; they can be made again."""
    read = {uri for record in kept for given in record.inputs.values() for uri in given.uri.split(";")}
    garbage = []
    for folder in sorted(path for path in settings.warehouse_folder.glob("*/*") if path.is_dir()):
        if folder.name.startswith("."):
            why = "tables that were being made, or freed, when it was killed"
        elif folder.as_uri() not in read and age_days(folder) > keep_days:
            why = "tables that no kept artifact was made from"
        else:
            continue
        remove = partial(_free_tables, settings, folder)
        garbage.append(Garbage(folder, size_of(folder), why, "tables", remove))
    return garbage


def _free_tables(settings: Settings, folder: Path) -> bool:
    """Unless they are being made, or a run under way reads them."""
    whole = (
        folder if not folder.name.startswith(".") else folder.with_name(folder.name[1:].rpartition(".")[0])
    )
    lock = tables_lock(whole)
    with disk_errors(folder):
        try:
            with lock.acquire(blocking=False), freeing(settings.locks, whole.name) as alone:
                if alone and folder.exists():
                    if folder == whole:  # Tables are there or not, wherever this is broken off.
                        folder = folder.rename(folder.with_name(f".{folder.name}.freed"))
                    shutil.rmtree(folder)
                    # Held still: who waits for it sees that it has no name any more.
                    Path(lock.lock_file).unlink()
        except Timeout:
            return False
    return alone


def _tracked_by(kept: list[Record], foreign: Collection[Path]) -> set[str]:
    """Ids of the MLflow runs of kept records, and whatever looks like one in those that cannot be read."""
    return {record.mlflow_run_id for record in kept if record.mlflow_run_id} | named_in(foreign, _RUN_ID)


def _old_runs(settings: Settings, runs: OldRuns) -> list[Garbage]:
    if not runs.old:
        return []
    size, remove = sum(size_of(run.folder) for run in runs.old), partial(_free_runs, settings, runs)
    why = "closed MLflow runs that no kept artifact names"
    return [Garbage(settings.mlflow_artifacts, size, why, RUNS, remove, len(runs.old))]


def _old_flow_runs(settings: Settings, keep_days: float, runs: OldRuns, kept: list[Record]) -> list[Garbage]:
    """Prefect's, but for those in which something kept was made."""
    made = [record.finished for record in kept]
    old = find_old_flow_runs(settings, keep_days, runs.kept_flow_runs, made)
    if not old.runs and not old.events:
        return []
    why = "ended runs in Prefect that made nothing kept, and its events"
    return [Garbage(old.database, old.size, why, "Prefect runs", old.delete, len(old.runs) or 1)]


def _free_runs(settings: Settings, runs: OldRuns) -> bool:
    """But for those of artifacts that are still there: somebody came to use them since they were listed."""
    records = list(Store(settings).records())
    return runs.without(_tracked_by(records, foreign_folders(settings, records))).delete()
