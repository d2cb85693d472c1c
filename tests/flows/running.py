"""The flow's command line in a process of its own, which can be watched, killed and waited for.

Such a process is forked from one that has imported everything: its work and its death are those of
`python -m flows.end_to_end`, without ten seconds of imports for each of some forty runs.
"""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = [
    "flows.end_to_end", "tests.flows.imported", "mlflow.pyfunc", "accelerate", "datasets", "onnxscript",
]  # fmt: skip
PATIENCE = 200.0  # seconds for any run, on a busy machine

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.flows.imported"])


class RunFailed(AssertionError):
    """A run did not do what the test stands on; the message ends with what it printed."""


@dataclass(frozen=True)
class Running:
    """A run under way or ended."""

    process: BaseProcess
    log: Path

    @property
    def printed(self) -> str:
        """Everything it wrote to stdout and stderr so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait(self) -> int:
        """The exit code; minus the signal's number for one that was killed."""
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            raise RunFailed(f"the run did not end in {PATIENCE:.0f} s:\n{self.printed}")
        return self.process.exitcode

    def kill_when(self, said: str) -> None:
        """SIGKILL as soon as it has printed a line with these words; fails when it ends without."""
        deadline = time.monotonic() + PATIENCE
        while said not in self.printed:
            if not self.process.is_alive() or time.monotonic() > deadline:
                raise RunFailed(f"the run never said {said!r}:\n{self.printed}")
            time.sleep(0.005)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.join(PATIENCE)
