"""What grows beside the artifacts: snapshots of the Hub, reports, Prefect's results, searches, logs, lock files."""

import shutil
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from infra.catalog.garbage import AT_REST_DAYS, Garbage, age_days, keyed, loose, size_of
from infra.catalog.kept import kept_revisions
from infra.files import TEMPORARY, disk_errors
from infra.hub.local import LocalHub
from infra.hub.protocol import FOLDERS, Kind
from infra.machine.environment import running_services
from infra.settings import Settings
from infra.store.locks import NAME_LENGTH, freeing, locked_keys

NO_RUN = "local"  # where a flow reports that is called outside of Prefect
SERVERS = ("prefect.log", "mlflow.log", "worker.log")


def old_snapshots(settings: Settings, keep_days: float, keep_releases: int | None) -> list[Garbage]:
    """Snapshots of the home's own Hub that no kept release is, and nobody could be taken back to."""
    hub, garbage = LocalHub(settings.hub_folder), []
    for kind in FOLDERS:
        for repo in hub.repositories(kind):
            kept = kept_revisions(hub, kind, repo, keep_releases) | _tagged(hub.home(kind, repo))
            for item in hub.revisions(kind, repo):
                folder = Path(item.path)
                if item.revision not in kept and age_days(folder) > max(keep_days, AT_REST_DAYS):
                    remove = partial(_free_snapshot, hub, kind, repo, item.revision, keep_releases)
                    why = f"a release of {repo} that is not among those to keep"
                    garbage.append(Garbage(folder, size_of(folder), why, "snapshots", remove))
    return garbage


def old_searches(settings: Settings, keep_days: float) -> list[Garbage]:
    """Studies that nobody went on with: the models of their trials are artifacts, and stay or go as such."""
    old = (folder for folder in _folders(settings.home / "search") if age_days(folder) > keep_days)
    return [keyed(settings, folder, "a search that was not gone on with", "searches") for folder in old]


def leftovers(settings: Settings, keep_days: float, kept_runs: Collection[str]) -> Iterator[Garbage]:
    """Files that no lock protects, older than the days given (and than an hour). `kept_runs` are Prefect's run ids."""
    days = max(keep_days, AT_REST_DAYS)

    def old(paths: Iterator[Path]) -> list[Path]:
        return sorted(path for path in paths if age_days(path) > days)

    running = {path.stem for path in settings.runs.glob("*.json")}
    # A run that has ended writes to its report no more; what is not named after a run may be under way.
    reports = sorted(path for path in _folders(settings.reports) if path.name not in {*kept_runs, *running})
    gone = [path for path in reports if age_days(path) > (days if path.name == NO_RUN else keep_days)]
    yield from loose(settings.reports, gone, "reports of runs that made nothing kept", "reports")
    results = settings.home / "prefect" / "results"
    yield from loose(
        results, old(results.glob("*")), "what Prefect remembers of stages: the store knows it", "results"
    )
    logs = settings.home / "logs"
    current = SERVERS if running_services(settings) else ()
    former = (path for path in logs.glob("*") if path.name not in current)
    yield from loose(logs, old(former), "logs of processes that have ended", "logs")
    yield from loose(
        settings.home, old(_temporary(settings)), "half-written, by who was killed", "temporary files"
    )


def lock_files(settings: Settings) -> list[Garbage]:
    """Lock files of keys that name nothing any more."""
    places = (
        *settings.artifacts.glob("*/*"),
        *settings.work.glob("*"),
        *_folders(settings.home / "search"),
        *settings.warehouse_folder.glob("*/*"),
    )
    left = sorted(locked_keys(settings.locks) - {place.name[:NAME_LENGTH] for place in places})
    if not left:
        return []
    why = "locks of keys that name nothing any more"
    return [Garbage(settings.locks, 0, why, "lock files", partial(_unlock, settings, left), len(left))]


def _unlock(settings: Settings, keys: list[str]) -> bool:
    """Taking a key alone and letting it go takes its lock files along."""
    went = False
    for key in keys:
        with freeing(settings.locks, key) as alone:
            went |= alone
    return went


def _free_snapshot(hub: LocalHub, kind: Kind, repo: str, revision: str, keep_releases: int | None) -> bool:
    """Asked again under the repository's lock: it may be `main` by now."""
    with hub.locked(kind, repo) as home:
        if revision in kept_revisions(hub, kind, repo, keep_releases) | _tagged(home):
            return False
        snapshot = home / "snapshots" / revision
        with disk_errors(snapshot):
            # A name that the next push sweeps away: a snapshot is whole or not there.
            shutil.rmtree(snapshot.rename(snapshot.with_name(f".partial-{revision}")))
    return True


def _tagged(home: Path) -> set[str]:
    return {path.read_text() for path in home.glob("refs/tags/*") if path.is_file()}


def _temporary(settings: Settings) -> Iterator[Path]:
    """Only where we write such files; elsewhere a name like theirs may be somebody's own."""
    places = (
        "*",
        "runs/*",
        "outlooks/*",
        "reports/*",
        "reports/*/*",
        "artifacts/*/*/*",
        "hub/*/*/*/*",
        "hub/*/*/*/refs/*",
        "hub/*/*/*/refs/tags/*",
    )
    for place in places:
        for path in settings.home.glob(place):
            if TEMPORARY.fullmatch(path.name) and (path.is_symlink() or path.is_file()):
                yield path


def _folders(place: Path) -> list[Path]:
    return [path for path in place.glob("*") if path.is_dir() and not path.is_symlink()]
