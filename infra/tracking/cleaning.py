"""MLflow runs of a home that can go: closed, older than a number of days, and named by nothing that stays."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlparse

from infra.files import disk_errors, file_lock
from infra.settings import Settings
from infra.tracking.connection import database_uri

DAY_MS = 86_400_000
PARENT, FLOW_RUN = "mlflow.parentRunId", "prefect.flow_run_id"


@dataclass(frozen=True)
class TrackedRun:
    """One run: where its files are, which run it belongs to, and which of Prefect's runs it is."""

    id: str
    folder: Path
    parent: str | None
    flow_run: str | None
    old: bool


@dataclass(frozen=True)
class OldRuns:
    """All runs of a home's own tracking database, those that have to stay for MLflow's sake known."""

    settings: Settings
    runs: tuple[TrackedRun, ...] = ()
    kept: frozenset[str] = frozenset()

    @property
    def old(self) -> list[TrackedRun]:
        """Those that can go."""
        return [run for run in self.runs if run.old and run.id not in self.kept]

    @property
    def kept_flow_runs(self) -> set[str]:
        """Prefect's ids of the runs that stay because something names them."""
        return {run.flow_run for run in self.runs if run.flow_run and run.id in self.kept}

    def without(self, ids: Iterable[str]) -> "OldRuns":
        """Runs of these ids stay, and so do the runs that they belong to."""
        named = {*ids} | self.kept
        parents = {run.id: run.parent for run in self.runs}
        waiting = list(named)
        while waiting:
            if (parent := parents.get(waiting.pop())) and parent not in named:
                named.add(parent)
                waiting.append(parent)
        return replace(self, kept=frozenset(named))

    def delete(self) -> bool:
        """Delete the old runs with their files, for good."""
        from infra.tracking.client import delete_runs

        old = self.old
        for run in old:
            if run.folder.exists():
                with disk_errors(run.folder):
                    shutil.rmtree(run.folder)
        with file_lock(self.settings.locks / "mlflow.lock"):
            delete_runs(database_uri(self.settings), [run.id for run in old])
        return True


def find_old_runs(settings: Settings, keep_days: float) -> OldRuns:
    """The runs of the home's own database. None where another server tracks: its runs are not this home's alone."""
    if settings.mlflow_uri is not None or not settings.mlflow_database.is_file():
        return OldRuns(settings)
    from infra.tracking.client import all_runs, registered_runs

    before = time.time() * 1000 - keep_days * DAY_MS
    database = database_uri(settings)
    found = list(all_runs(database))
    open_runs = {run for run, _, ended, _ in found if ended is None}
    runs = tuple(
        TrackedRun(
            id=run,
            folder=folder,
            parent=tags.get(PARENT),
            flow_run=tags.get(FLOW_RUN) or None,
            # A stage of a run under way is closed, and may not stand in a record yet.
            old=ended is not None and ended < before and tags.get(PARENT) not in open_runs,
        )
        for run, address, ended, tags in found
        if (folder := _folder_here(settings, run, address)) is not None
    )
    return OldRuns(settings, runs).without([*registered_runs(database), *open_runs])


def _folder_here(settings: Settings, run: str, address: str) -> Path | None:
    """Where a run's files are; None outside of this home, as in the database of a home that was copied."""
    folder = Path(unquote(urlparse(address).path)).parent
    inside = folder.is_relative_to(settings.mlflow_artifacts) and folder.name == run
    return folder if inside else None
