"""Real processes and the files that name them, as `up` and a flow run write them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.machine.processes import Child
from infra.settings import Settings
from tests.typed import STILLHOUSE

PROJECT = Path(__file__).parents[2]
NO_PROCESS = 2**22 - 1
LONG_AGO = 1_000_000.0

# A program that opens a run, as a notebook or a service does, and has a child of its own that is no business of ours.
PROGRAM = """
import subprocess, sys, time
from pydantic import BaseModel
from infra.engine.run import open_run

class Nothing(BaseModel):
    pass

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
with open_run("toy", Nothing()):
    print(child.pid, flush=True)
    time.sleep(600)
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment for another one, with a home of its own and no word on Prefect or MLflow."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))
    }
    return clean | {"STILLHOUSE_HOME": str(home)} | more


def python(home: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run some code in an interpreter of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment(home, **more), cwd=PROJECT, capture_output=True, text=True)


def cli(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `stillhouse`."""
    command = [STILLHOUSE, *arguments]
    return subprocess.run(command, env=environment(home, **more), cwd=PROJECT, capture_output=True, text=True)


@contextmanager
def process(command: list[str] | None = None, home: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that does nothing, or the one that is asked for; it is gone afterwards, with its children."""
    command = command or [sys.executable, "-c", "import time; time.sleep(600)"]
    given = environment(home) if home else None
    with subprocess.Popen(command, env=given, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as started:
        family = psutil.Process(started.pid)
        try:
            yield started
        finally:
            for one in (*family.children(recursive=True), family) if started.poll() is None else ():
                one.kill()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server with all that it has started."""
    leader = psutil.Process(process.pid)
    for one in (*leader.children(recursive=True), leader):
        one.terminate()
    process.wait(timeout=60)


def alive(pid: int) -> bool:
    """Whether a process runs; one that was killed and is still listed does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def write_services(
    settings: Settings,
    up: Child,
    children: tuple[Child, ...] = (),
    home: Path | None = None,
    url: str = "http://127.0.0.1:9",
) -> None:
    """`services.json` as `up` writes it, of this home or of another one."""
    settings.home.mkdir(parents=True, exist_ok=True)
    told = up.model_dump() | {"host": "pod-a", "home": str(home or settings.home), "prefect_api_url": f"{url}/api",
                              "mlflow_tracking_uri": url, "children": [child.model_dump() for child in children]}  # fmt: skip
    settings.services_file.write_text(json.dumps(told))


def write_older_services(settings: Settings, pid: int, written: float) -> None:
    """The same as an older version wrote it: a number and nothing else."""
    settings.home.mkdir(parents=True, exist_ok=True)
    told = {
        "pid": pid,
        "prefect_api_url": "http://127.0.0.1:9/api",
        "mlflow_tracking_uri": "http://127.0.0.1:9",
    }
    settings.services_file.write_text(json.dumps(told))
    os.utime(settings.services_file, (written, written))


def write_marker(settings: Settings, children: tuple[Child, ...] = (), host: str = "pod-a") -> None:
    """The file of a run that was killed, as an older version wrote it."""
    marker = {"pid": NO_PROCESS, "pid_started": time.time(), "host": host, "flow": "toy", "flow_run_id": None,
              "mlflow_run_id": None, "children": [child.model_dump() for child in children]}  # fmt: skip
    settings.runs.mkdir(parents=True, exist_ok=True)
    (settings.runs / "killed.json").write_text(json.dumps(marker))
