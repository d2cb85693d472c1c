"""A worker: a process that does what it is asked, one call at a time, and always ends.

It is loky's executor of one process. The standard library's would import the caller's main module again, and with a
flow's that is Prefect: two seconds, and memory and threads where a model is measured.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from loky.backend.context import LokyContext
from loky.process_executor import ProcessPoolExecutor

from infra.errors import ServiceError, StillhouseError
from infra.machine.ends_with_parent import end_with

# Nothing is imported from the working folder that the caller would not import, and a worker whose memory has grown
# stays: loky would put another in its place, which holds nothing of what was loaded.
SETTLED = {"PYTHONSAFEPATH": "1", "LOKY_MAX_MEMORY_LEAK_SIZE": str(2**62)}
EXIT_CODES = "exit codes of the workers are "
REMEDY = "Free some memory or correct what it says, then run again."
TAIL = 1500  # characters of a dead worker's output that are shown
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Worker:
    """One process, started by the first call; what it loads, its threads and its memory die with it.

    `environment` is set before its interpreter starts; `unset` leaves variables out for every library that it
    imports. A call that takes over `longest_wait_s` is given up, and the message has `remedy`. The thread that makes the
    first call is its parent: the worker ends with that.
    """

    def __init__(
        self,
        what: str,
        environment: Mapping[str, str] | None = None,
        unset: Collection[str] = (),
        longest_wait_s: float | None = None,
        remedy: str = "Ask less of it",
    ) -> None:
        self.what, self._longest_wait_s, self._remedy = what, longest_wait_s, remedy
        # Kept open as long as the process: leaving the block closes it.
        self._said = tempfile.NamedTemporaryFile("r", delete=False, encoding="utf-8", errors="replace")  # noqa: SIM115
        self._executor = ProcessPoolExecutor(
            1,
            # By class: to the name "loky" joblib's copy answers once it is imported, and a worker would import all of it.
            context=LokyContext(),
            initializer=_begin,
            initargs=(os.getpid(), self._said.name, tuple(unset)),
            env={**SETTLED, **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(kill_workers=True)
        self._said.close()
        Path(self._said.name).unlink(missing_ok=True)

    def ask(self, function: Callable[Asked, Answer], *given: Asked.args, **named: Asked.kwargs) -> Answer:
        """Call a module's `function` there and wait; see `receive`."""
        return self.receive(self.send(function, *given, **named))

    def send(
        self, function: Callable[Asked, Answer], *given: Asked.args, **named: Asked.kwargs
    ) -> Future[Answer]:
        """Call without waiting. Raises ServiceError when the worker has died."""
        try:
            asked: Future[Answer] = self._executor.submit(function, *given, **named)
        except BrokenProcessPool as error:
            raise self._died(error) from None
        return asked

    def receive(self, asked: Future[Answer]) -> Answer:
        """What a call returned, or raised of infra.errors; ServiceError if it failed otherwise, died or hangs."""
        if not wait([asked], self._longest_wait_s).done:
            raise ServiceError(
                f"{self.what} did not answer within {self._longest_wait_s:.0f} s. {self._remedy}, or see what else "
                "runs on this machine."
            )
        try:
            return asked.result()
        except StillhouseError:
            raise
        except BrokenProcessPool as error:
            raise self._died(error) from None
        except Exception as error:
            raise ServiceError(
                f"{self.what} failed ({type(error).__name__}: {error}): expected an answer. {REMEDY}"
            ) from error

    def _died(self, error: BaseException) -> ServiceError:
        code = str(error).partition(EXIT_CODES)[2].partition("\n")[0].strip("{}") or str(error)
        self._said.seek(0)
        return ServiceError(
            f"{self.what} died ({code}{'; out of memory?' if 'SIGKILL' in code else ''}): expected an answer. Its "
            f"last words:\n{self._said.read().strip()[-TAIL:] or 'none'}\n{REMEDY}"
        )


def _begin(parent: int, said: str, unset: Collection[str]) -> None:
    """What libraries print goes into a file without a name: nothing is left of it, whoever is killed."""
    end_with(parent)
    with Path(said).open("a", encoding="utf-8") as file:
        Path(said).unlink()
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    for name in unset:
        os.environ.pop(name, None)
