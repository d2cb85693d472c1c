"""Is this machine fit for the work? One check a function; each fault says what to do about it."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cpuinfo
import httpx
import psutil
from packaging.requirements import Requirement

from infra.engine.abandoned import dead_runs, live_runs
from infra.errors import ServiceError, StillhouseError, StoreError
from infra.files import DISK_ERRORS, NO_LOCKS, prove_locks
from infra.hub.connect import open_hub
from infra.machine.environment import running_services
from infra.machine.processes import last_error, port_is_free
from infra.machine.schedules import REMEDY, scheduled
from infra.machine.services import log_file
from infra.machine.surroundings import PREFECT_API, api_obstacle, obstacles
from infra.machine.up_lock import left_behind, up_is_elsewhere
from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.shared.sharing import open_remote

State = Literal["ok", "note", "fault"]
GIB = 2**30
LEAST_DISK, LEAST_MEMORY = 4 * GIB, 4 * GIB
# int8 inference needs the dot products of VNNI to be exact and fast; bf16 training needs its own.
INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
REINSTALL = "Install what was tested: `make install`"


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and for a note or fault what to do."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other."""
    yield check_python(sys.version_info[:2])
    yield from check_libraries()
    yield from check_cpu(cpuinfo.get_cpu_info().get("flags", []))
    yield check_memory(psutil.virtual_memory().total)
    yield from check_environment()
    yield check_home(settings.home)
    yield check_disk(settings.home)
    yield check_store(settings)
    yield check_hub(settings)
    for name, database in (
        ("Prefect", settings.home / "prefect" / "prefect.db"),
        ("MLflow", settings.mlflow_database),
    ):
        yield check_database(name, database)
    yield from check_services(settings)
    yield check_dead_runs(settings)


def check_python(version: tuple[int, int]) -> Check:
    """Python 3.11 to 3.13."""
    found = f"{version[0]}.{version[1]} ({platform.platform(terse=True)})"
    if (3, 11) <= version < (3, 14):
        return Check("Python", "ok", found)
    return Check(
        "Python", "fault", found, "Make .venv with Python 3.11, 3.12 or 3.13: `make PYTHON=python3.11 demo`."
    )


def check_libraries(package: str = "stillhouse") -> Iterator[Check]:
    """Each library that `package` requires, against the versions it is made for."""
    try:
        required = [Requirement(text) for text in importlib.metadata.requires(package) or []]
    except importlib.metadata.PackageNotFoundError:
        yield Check(
            "libraries", "note", f"{package} is not installed here, only run from its folder", REINSTALL
        )
        return
    wrong = [check for one in required if (check := check_library(one)) is not None]
    yield from wrong or [Check("libraries", "ok", f"{len(required)} requirements met")]


def check_library(required: Requirement) -> Check | None:
    """None when the installed version is one that is asked for, or the requirement is an extra's."""
    if required.marker is not None and not required.marker.evaluate({"extra": ""}):
        return None
    try:
        version = importlib.metadata.version(required.name)
    except importlib.metadata.PackageNotFoundError:
        return Check(required.name, "fault", "not installed", REINSTALL)
    if required.specifier.contains(version, prereleases=True):
        return None
    why = (
        " Prefect's server answers 422 to nulls with a newer fastapi, or does not start."
        if required.name == "fastapi"
        else ""
    )
    return Check(required.name, "fault", f"{version}, expected {required.specifier}", REINSTALL + why)


def check_cpu(flags: list[str]) -> Iterator[Check]:
    """Vector extensions that int8 inference and bf16 training want, and the number of cores."""
    # macOS has no affinity to ask for: there all of them are usable.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()
    yield Check("cores", "ok", f"{cores} of {psutil.cpu_count()} usable by this process")
    int8 = sorted(set(flags) & set(INT8_FLAGS))
    slow = "Works, but released models are slower and can differ more from fp32: measure where you serve."
    yield Check(
        "CPU int8", "ok" if int8 else "note", ", ".join(int8) or "no int8 dot products", "" if int8 else slow
    )
    bf16 = sorted(set(flags) & set(BF16_FLAGS))
    slower = "Works: training uses float32 and takes about 1.6 times as long."
    yield Check("CPU bf16", "ok" if bf16 else "note", ", ".join(bf16) or "no bf16", "" if bf16 else slower)


def check_memory(total: int) -> Check:
    """Room for a BERT-base yardstick beside a training, bytes."""
    found = f"{total / GIB:.0f} GiB"
    if total >= LEAST_MEMORY:
        return Check("memory", "ok", found)
    return Check(
        "memory",
        "fault",
        found,
        f"Use a machine with {LEAST_MEMORY // GIB} GiB, or a smaller --train.batch-size.",
    )


def check_environment() -> Iterator[Check]:
    """Variables that would stop a run, and those that look like settings and are none."""
    found = [*obstacles()]
    if (url := os.environ.get(PREFECT_API)) and (silent := api_obstacle(url)) is not None:
        found.append(silent)
    for obstacle in found:
        yield Check("environment", "fault", f"{obstacle.variable} {obstacle.found}", obstacle.remedy)
    if not found:
        yield Check("environment", "ok", "no variable is in the way")


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
    remedy = f"Have {LEAST_DISK // GIB} GiB free: `python -m infra.cli gc`, or put STILLHOUSE_HOME elsewhere."
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


def check_services(settings: Settings) -> Iterator[Check]:
    """Prefect's and MLflow's servers: answering, not started, or something in their way."""
    services = running_services(settings)
    if services is None:
        yield from _not_running(settings)
        return
    for name, url in (
        ("Prefect", f"{services.prefect_api_url}/health"),
        ("MLflow", f"{services.mlflow_tracking_uri}/health"),
    ):
        try:
            answer = f"answers {httpx.get(url, timeout=5.0, trust_env=False).status_code} at {url}"
        except httpx.HTTPError as error:
            answer = f"{url}: {error}"
        again = "`python -m infra.cli down`, then `up` again; its log is in logs/ under home."
        up = "answers 200" in answer
        yield Check(f"{name} server", "ok" if up else "fault", answer, "" if up else again)
        if up and name == "Prefect":
            yield from check_schedules(services.prefect_api_url, log_file(settings, "prefect"))


def check_schedules(api_url: str, log: Path) -> Iterator[Check]:
    """Every active schedule has a next run."""
    try:
        found = scheduled(api_url)
    except ServiceError as error:
        yield Check("schedules", "fault", "they cannot be read", str(error))
        return
    never = [one.deployment for one in found if one.next_run is None]
    if never:
        line = last_error(log)
        said = f"; the log's last error: {line}" if line else ""
        yield Check("schedules", "fault", f"no next run of {', '.join(never)}{said}", REMEDY)
        return
    soonest = min((one.next_run for one in found if one.next_run), default=None)
    yield Check(
        "schedules",
        "ok",
        f"{len(found)} active" + (f", next run {soonest:%Y-%m-%d %H:%M} UTC" if soonest else ""),
    )


def check_dead_runs(settings: Settings) -> Check:
    """Runs that were killed and still count as running."""
    dead, live = dead_runs(settings), live_runs(settings)
    under_way = f"; under way: {', '.join(map(str, live))}" if live else ""
    if not dead:
        return Check("killed runs", "ok", f"none{under_way}")
    return Check(
        "killed runs",
        "note",
        f"{len(dead)} shown as running: {', '.join(map(str, dead))}{under_way}",
        "The next flow, or `python -m infra.cli up`, marks them as crashed.",
    )


def _not_running(settings: Settings) -> Iterator[Check]:
    yield Check("services", "ok", "not started: flows bring their own (6 to 13 s); `make up` saves that")
    if said := left_behind(settings):
        remedy = (
            "Run `down` there." if up_is_elsewhere(settings) else "`python -m infra.cli down` clears it away."
        )
        yield Check("services.json", "note", said, remedy)
    ports = {"STILLHOUSE_PREFECT_PORT": settings.prefect_port, "STILLHOUSE_MLFLOW_PORT": settings.mlflow_port}
    for setting, port in ports.items():
        if not port_is_free(port):
            yield Check(
                f"port {port}",
                "note",
                "taken by another program",
                f"Set {setting} to another port before `make up`.",
            )


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
