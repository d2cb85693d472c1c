"""The flow's command line in a process of its own, which can be watched, killed and waited for.

Such a process is forked from one that has imported everything once: its work and its death are those of
`python -m flows.end_to_end`, without ten seconds of imports for each of some forty runs.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.forks import FORKS

PATIENCE = 500.0  # seconds for any run, on a busy machine
OUTCOME = re.compile(
    r"^  (running|computed|cached) +(\w+)(?:: \w+)?(?: +[\d.]+ s  ([0-9a-f]+)| +stage .+)?$", re.MULTILINE
)


@dataclass(frozen=True)
class Line:
    """What a run says of a stage: running, computed or cached; the digest's start unless it is running."""

    state: str
    stage: str
    digest: str


@dataclass(frozen=True)
class Running:
    """A run under way or ended."""

    process: BaseProcess
    log: Path

    @property
    def printed(self) -> str:
        """Everything it wrote to stdout and stderr so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def lines(self) -> list[Line]:
        """What it said of its stages so far."""
        return [Line(*found) for found in OUTCOME.findall(self.printed)]

    def wait(self) -> int:
        """The exit code; minus the signal's number when it was killed."""
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            raise TimeoutError(f"the run did not end in {PATIENCE:.0f} s:\n{self.printed}")
        return self.process.exitcode

    def kill_in(self, stage: str) -> bool:
        """SIGKILL as soon as it has begun to compute `stage`; whether that stage was still under way then."""
        deadline = time.monotonic() + PATIENCE
        while not any(line.state == "running" and line.stage == stage for line in self.lines):
            if not self.process.is_alive() or time.monotonic() > deadline:
                raise TimeoutError(f"the run never began {stage}:\n{self.printed}")
            time.sleep(0.005)
        self.kill()
        return self.lines[-1] == Line("running", stage, "")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.join(PATIENCE)


def start(home: Path, argv: Sequence[str], log: Path | None = None, **environment: str) -> Running:
    """Start `python -m flows.end_to_end ARGV` in `home`; what it prints goes to a file in `log`, or beside the home."""
    descriptor, path = tempfile.mkstemp(prefix="run-", suffix=".log", dir=log or home.parent)
    os.close(descriptor)
    # The fork server's own environment is that of the first test that used it, before Prefect's server ran.
    environment |= {"STILLHOUSE_HOME": str(home), "PREFECT_API_URL": os.environ["PREFECT_API_URL"]}
    process = FORKS.Process(target=_run, args=(list(argv), Path(path), environment))
    process.start()
    return Running(process, Path(path))


def run(home: Path, argv: Sequence[str], log: Path | None = None, **environment: str) -> tuple[int, str]:
    """Run it to its end: exit code and everything it printed."""
    running = start(home, argv, log, **environment)
    return running.wait(), running.printed


def new_home(
    home: Path, tracking_database: Path, seeded: Path | None = None, stages: Sequence[str] = ()
) -> Path:
    """A home with MLflow's tables made; the artifacts of `stages` are taken over from the home `seeded`."""
    (home / "mlflow").mkdir(parents=True)
    shutil.copy(tracking_database, home / "mlflow" / "mlflow.db")
    for stage in stages:
        shutil.copytree(seeded / "artifacts" / stage, home / "artifacts" / stage)
    return home


def _run(argv: list[str], log: Path, environment: dict[str, str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.configs.end_to_end import COMMAND
    from infra.settings import get_settings

    get_settings.cache_clear()
    with temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}):
        raise SystemExit(COMMAND.main(argv))
