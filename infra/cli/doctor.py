"""Is this machine fit for the work? One check a function; each fault says what to do about it."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator

import cpuinfo
import httpx
import psutil
from packaging.requirements import Requirement

from infra.cli.check import GIB, Check
from infra.cli.home_checks import examine_home
from infra.engine.abandoned import dead_runs, live_runs
from infra.errors import ServiceError
from infra.machine.environment import Services, login_of, running_services
from infra.machine.processes import LOOPBACK, last_error, port_is_free
from infra.machine.schedules import REMEDY, scheduled
from infra.machine.services import log_file, servers
from infra.machine.surroundings import PREFECT_API, api_obstacle, obstacles
from infra.machine.up_lock import left_behind, up_is_elsewhere
from infra.settings import Settings

LEAST_MEMORY = 4 * GIB
# int8 inference needs the dot products of VNNI to be exact and fast; bf16 training needs its own.
INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
REINSTALL = "Install what was tested: `make install`"


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other."""
    yield check_python(sys.version_info[:2])
    yield from check_libraries()
    yield from check_cpu(cpuinfo.get_cpu_info().get("flags", []))
    yield check_memory(psutil.virtual_memory().total)
    yield from check_environment()
    yield from examine_home(settings)
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
    slow = "Works, with the same answers, but released models are slower: measure where you serve."
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


def check_services(settings: Settings) -> Iterator[Check]:
    """Prefect's and MLflow's servers: answering, not started, or something in their way."""
    services = running_services(settings)
    if services is None:
        yield from _not_running(settings)
        return
    for name, url in (
        ("Prefect", f"{services.prefect_api_url}/health"),
        ("MLflow", f"{services.mlflow_tracking_uri}/health"),
        ("Reports", f"http://{LOOPBACK}:{settings.reports_port}/health"),
    ):
        try:
            answer = f"answers {httpx.get(url, timeout=5.0, trust_env=False).status_code} at {url}"
        except httpx.HTTPError as error:
            answer = f"{url}: {error}"
        again = "`stillhouse down`, then `up` again; its log is in logs/ under home."
        up = "answers 200" in answer
        yield Check(f"{name} server", "ok" if up else "fault", answer, "" if up else again)
        if up and name == "Prefect":
            yield from check_schedules(services, settings)


def check_schedules(services: Services, settings: Settings) -> Iterator[Check]:
    """Every active schedule has a next run."""
    try:
        found = scheduled(services.prefect_api_url, login_of(services, settings))
    except ServiceError as error:
        yield Check("schedules", "fault", "they cannot be read", str(error))
        return
    never = [one.deployment for one in found if one.next_run is None]
    if never:
        line = last_error(log_file(settings, "prefect"))
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
        "The next flow, or `stillhouse up`, marks them as crashed.",
    )


def _not_running(settings: Settings) -> Iterator[Check]:
    yield Check("services", "ok", "not started: flows bring their own (6 to 13 s); `make up` saves that")
    if said := left_behind(settings):
        remedy = "Run `down` there." if up_is_elsewhere(settings) else "`stillhouse down` clears it away."
        yield Check("services.json", "note", said, remedy)
    for server in servers(settings):
        if not port_is_free(server.port):
            yield Check(
                f"port {server.port}",
                "note",
                "taken by another program",
                f"Set {server.port_setting} to another port before `make up`.",
            )
