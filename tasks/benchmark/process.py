"""A worker as its parent sees it: a process that is asked, answers, and is always ended."""

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

import psutil
from pydantic import BaseModel, ValidationError

from infra.errors import ArtifactError, ServiceError
from tasks.benchmark.protocol import Refused

ROOT = Path(__file__).resolve().parents[2]
MODULE = "tasks.benchmark.worker"
LONGEST_WAIT_S = 600.0
GRACE_S = 5.0  # an idle worker ends in milliseconds once its stdin is closed
TAIL = 1500  # characters of a dead worker's stderr that are shown
Reply = TypeVar("Reply", bound=BaseModel)


class Worker:
    """One process; its models and threads die with it."""

    def __init__(self, name: str, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        self.name = name
        self._longest_wait_s = longest_wait_s
        # Kept open as long as the process: `end` closes it.
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            cwd=ROOT,
            env=_environment(),
            encoding="utf-8",
        )
        self._stdin, self._stdout = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """Processor time used so far, of all its threads; raises ServiceError when it has died."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            raise self._died() from None
        return float(times.user + times.system)

    def send(self, request: BaseModel) -> None:
        """Ask without waiting; each request needs one `receive`."""
        try:
            self._stdin.write(request.model_dump_json() + "\n")
            self._stdin.flush()
        except OSError:
            raise self._died() from None

    def receive(self, kind: type[Reply]) -> Reply:
        """Wait for a reply. Raises ArtifactError for a refusal, ServiceError if the worker died or hangs."""
        line = self._line()
        try:
            return kind.model_validate_json(line)
        except ValidationError:
            refusal = Refused.model_validate_json(line)
        raise ArtifactError(f"{self.name} cannot be measured: {refusal.refused}")

    def ask(self, request: BaseModel, kind: type[Reply]) -> Reply:
        """Ask and wait."""
        self.send(request)
        return self.receive(kind)

    def end(self) -> None:
        """End the process: by closing its stdin, by force when it does not listen."""
        try:
            self._stdin.close()
            self._process.wait(GRACE_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._stderr.close()

    def _line(self) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            if not selector.select(self._longest_wait_s):
                raise ServiceError(
                    f"the benchmark's worker for {self.name} did not answer within "
                    f"{self._longest_wait_s:.0f} s. Lower benchmark.timed or "
                    "benchmark.throughput_rows, or see what else runs on this machine."
                )
        line = self._stdout.readline()
        if not line:
            raise self._died()
        return line

    def _died(self) -> ServiceError:
        code = self._process.wait()
        self._stderr.seek(0)
        tail = self._stderr.read().strip()[-TAIL:] or "nothing"
        cause = f"signal {-code}; out of memory?" if code < 0 else f"exit code {code}"
        return ServiceError(
            f"the benchmark's worker for {self.name} died ({cause}): expected a reply. "
            f"Its last words:\n{tail}\nFree some memory or correct what it says, then run again."
        )


@contextmanager
def workers(names: Sequence[str]) -> Iterator[dict[str, Worker]]:
    """A worker for each name, all ended when the block ends, however it ends."""
    with ExitStack() as stack:
        started = {}
        for name in names:
            started[name] = Worker(name)
            stack.callback(started[name].end)
        yield started


def idle_share(started: Sequence[Worker], seconds: float) -> float:
    """Largest share of one core that a waiting worker used over `seconds`."""
    before = [worker.cpu_seconds for worker in started]
    time.sleep(seconds)
    return max(worker.cpu_seconds - used for worker, used in zip(started, before, strict=True)) / seconds


def _environment() -> dict[str, str]:
    """The caller's, without what would set threads behind the benchmark's back, and without the network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    }
    return kept | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
