"""A sandbox that was started, until it has ended: with no process of it left, no zombie and no descriptor."""

import ctypes
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from tasks.evaluation.code_execution.limits import Limits

PATIENCE = 5.0  # seconds in which a sandbox has ended that was killed, or whose Python ended
_SET_SUBREAPER, _GET_SUBREAPER = 36, 37  # <linux/prctl.h>


@dataclass
class Confined:
    """A sandbox that was started: bubblewrap's outer process, and its inner one, the first of the namespace.

    The inner one is held by a descriptor: its number, once it has ended, may be anybody's.
    """

    process: subprocess.Popen[bytes]
    limits: Limits
    inner: tuple[int, int] | None  # number and descriptor; None: bubblewrap ended before it had one
    cpu_seconds: float = 0.0  # of all its processes, once it has ended
    code: int = 0  # its exit code then: 128 and the signal's number where a signal ended what ran in it

    def end(self, grace: float = 0.0) -> None:
        """Kill what still runs and wait for it: afterwards there is neither a process nor a zombie of it.

        With a grace in seconds it may end by itself first, so that its exit code is its own. Called again, nothing.
        """
        if self.process.returncode is not None:
            return
        with ExitStack() as stack:
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe is not None:
                    stack.enter_context(pipe)
            outer = os.pidfd_open(self.process.pid)
            stack.callback(os.close, outer)
            _ended(outer, grace)
            if self.inner is not None:  # With the first process of a namespace the kernel kills all others.
                stack.callback(os.close, self.inner[1])
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self.inner[1], signal.SIGKILL)
            if not _ended(outer, PATIENCE):
                self.process.kill()  # With bubblewrap's outer process its inner one ends (--die-with-parent).
            self.process.returncode = self.code = self._wait(self.process.pid)
            self._reap_inner()

    def _reap_inner(self) -> None:
        """The outer process often ends before it has waited for the inner one, which is then ours: see `subreaper`."""
        if self.inner is not None:
            number, descriptor = self.inner
            with suppress(ChildProcessError):  # The outer one did wait.
                os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOWAIT)
                self._wait(number)

    def _wait(self, number: int) -> int:
        _, status, used = os.wait4(number, 0)
        self.cpu_seconds += used.ru_utime + used.ru_stime
        return os.waitstatus_to_exitcode(status)


@contextmanager
def subreaper() -> Iterator[None]:
    """Meanwhile whoever loses his parent among this process's descendants becomes its child, so that it can wait for him.

    Else he would be the machine's first process's, which in a container often waits for nobody: prctl(2).
    """
    library, before = ctypes.CDLL(None, use_errno=True), ctypes.c_int()
    library.prctl(_GET_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    library.prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        library.prctl(_SET_SUBREAPER, before.value, 0, 0, 0)


def _ended(descriptor: int, seconds: float) -> bool:
    """Whether a process has ended, or does in this time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def inner_process(told: bytes) -> tuple[int, int] | None:
    """The inner process of what bubblewrap told of itself, which is nothing where it failed."""
    with suppress(ProcessLookupError):
        return (number := json.loads(told)["child-pid"], os.pidfd_open(number)) if told else None
    return None
