"""What lies in the home, and where it is shared and published: `doctor`'s checks of them, one a function."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.champions.promotions import CHAMPION, SHOWN, Champion, Promotions
from infra.champions.registry import Registry, registered_name
from infra.cli.check import GIB, Check
from infra.cli.model_commands import EXPERIMENT
from infra.errors import HubError, StillhouseError, StoreError, TrackingError
from infra.files import DISK_ERRORS, NO_LOCKS, prove_locks
from infra.hub.connect import open_hub
from infra.hub.protocol import OWN, Hub
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.shared.sharing import open_remote

LEAST_DISK = 4 * GIB


def examine_home(settings: Settings) -> Iterator[Check]:
    """Every check of the home and of what it is shared with, one after the other."""
    yield check_home(settings.home)
    yield check_privacy(settings)
    yield check_disk(settings.home)
    yield check_store(settings)
    yield check_hub(settings)
    for name, database in (
        ("Prefect", settings.home / "prefect" / "prefect.db"),
        ("MLflow", settings.mlflow_database),
    ):
        yield check_database(name, database)
    yield from check_champions(settings)


def check_home(home: Path) -> Check:
    """STILLHOUSE_HOME, or the folder it would be made in, can be written and locked."""
    place = _existing(home)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
            file.write(b"written")
            prove_locks(file.fileno())
    except OSError as error:
        remedy = f"Make {place} writable, or set STILLHOUSE_HOME to a folder of yours."
        if DISK_ERRORS.get(error.errno or 0) == NO_LOCKS:
            remedy = f"Locks are needed: {NO_LOCKS}."
        return Check("home", "fault", f"{home}: {error.strerror}", remedy)
    return Check("home", "ok", str(home))


def check_disk(home: Path) -> Check:
    """Free space where the artifacts go."""
    free = shutil.disk_usage(_existing(home)).free
    found = f"{free / GIB:.1f} GiB free"
    if free >= LEAST_DISK:
        return Check("disk", "ok", found)
    remedy = (
        f"Have {LEAST_DISK // GIB} GiB free: `stillhouse artifacts gc`, or put STILLHOUSE_HOME elsewhere."
    )
    return Check("disk", "fault", found, remedy)


def check_store(settings: Settings) -> Check:
    """The shared store answers and may be listed; nothing is written there."""
    store = Store(settings)
    away = sum(not store.is_here(record) for record in store.records())
    if settings.store is None and away:
        remedy = "Set STILLHOUSE_STORE to have them; without, they are computed anew when they are needed."
        return Check("shared store", "note", f"none, and of {away} artifacts only the record is here", remedy)
    if settings.store is None:
        return Check("shared store", "ok", "none: artifacts are under home alone")
    try:
        remote = open_remote(settings, store)
    except StoreError as error:
        return Check("shared store", "fault", "it cannot be used", str(error))
    alone = f"; the files of {away} artifacts are there alone" if away else ""
    return Check("shared store", "ok", remote.url + alone)


def check_hub(settings: Settings) -> Check:
    """The Hub answers, and one may publish there; nothing is written."""
    try:
        access = open_hub(settings).access()
    except StillhouseError as error:
        return Check("Hub", "fault", "it cannot be used", str(error))
    if access.obstacle:
        return Check("Hub", "fault", f"{access.place}: {access.obstacle}", access.remedy)
    return Check("Hub", "ok", access.place)


def check_database(name: str, path: Path) -> Check:
    """An SQLite file is whole. Not there yet is fine: the first run makes it."""
    if not path.is_file():
        return Check(f"{name} database", "ok", "not made yet")
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict == "ok":
        return Check(f"{name} database", "ok", str(path))
    remedy = f"Move {path} away; a new one is made. Artifacts and releases are not in it and stay."
    return Check(f"{name} database", "fault", f"{path}: {verdict}", remedy)


def check_privacy(settings: Settings) -> Check:
    """Nobody may look into the home but its owner, and whom the settings share it with."""
    if not settings.home.is_dir():
        return Check("privacy", "ok", "not made yet: it is going to be " + _octal(settings.home_mode))
    mode = settings.home.stat().st_mode & 0o7777
    if not mode & 0o077 & ~settings.home_mode:
        return Check("privacy", "ok", f"the home's permissions are {_octal(mode)}")
    return Check(
        "privacy",
        "note",
        f"the home's permissions are {_octal(mode)}: other users of this machine can look into it, where rows lie before "
        "anything in them is redacted",
        f"`chmod {_octal(settings.home_mode)} {settings.home}`, or set STILLHOUSE_HOME_MODE={_octal(mode & ~0o002)} where "
        "they are meant to.",
    )


def check_champions(settings: Settings) -> Iterator[Check]:
    """What MLflow calls champion is what the journal of promotions says, byte for byte where it was registered."""
    try:
        hub = open_hub(settings)
        repositories = hub.repositories("model")
    except StillhouseError:
        return  # `check_hub` has said it.
    for repository in repositories:
        try:
            if (champion := Promotions(hub, repository).champion()) is not None:
                yield _check_champion(settings, hub, repository, champion)
        except (HubError, TrackingError) as error:
            yield Check("champion", "fault", f"that of {repository} cannot be told", str(error))


def _check_champion(settings: Settings, hub: Hub, repository: str, champion: Champion) -> Check:
    registry, own = Registry(settings, EXPERIMENT), f"{OWN}/{repository.partition('/')[2]}"
    # On the network `local/name` is the owner's, and registered as it was asked for.
    names = [registered_name(asked) for asked in (repository, own) if hub.name(asked) == repository]
    held = ((name, registry.holder(name, CHAMPION)) for name in names)
    name, version = next(((name, one) for name, one in held if one is not None), (names[0], None))
    remedy = f"`stillhouse models history {repository}` lets MLflow follow the journal."
    found = f"{repository} revision {champion.revision[:SHOWN]}"
    if version is None:
        return Check("champion", "note", f"{found}; no version of {name} is {CHAMPION} in MLflow", remedy)
    if (doubt := registry.doubt(name, version, champion.tags)) is None:
        return Check("champion", "ok", f"{found}, version {version.version} of {name} in MLflow")
    moved = (
        f"{found} by the journal, but {CHAMPION} in MLflow is version {version.version} of {name}: {doubt}"
    )
    elsewhere = " If it stays so, delete that version in MLflow first: no release made it."
    return Check("champion", "fault", moved, remedy + elsewhere)


def _octal(mode: int) -> str:
    return f"{mode:04o}"


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
