"""Child processes: started with a log of their own, known by number and start time, ended as a family."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import BaseModel

from infra.env_file import PROJECT
from infra.errors import ServiceError
from infra.files import disk_errors

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 10.0
SAME_START_SECONDS = 1.0  # a start time is the boot's, known to the second, plus the clock's ticks since
LOG_TAIL = 15
BEFORE = ".before"  # ends the name of the log of the process that was started before
_EXCEPTION = re.compile(r"\s*[\w.]*(Error|Exception)\b[^:]*: .+")
_LEVEL = re.compile(r".*\b(ERROR|CRITICAL|FATAL)\b")


class Child(BaseModel):
    """A process of ours: the start time tells it from a later one that was given the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Child":
        """The process that has this number now. Raises psutil.NoSuchProcess when there is none."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    @classmethod
    def if_alive(cls, pid: int) -> "Child | None":
        """The same; None when there is none, or it has ended and its parent has not looked yet."""
        try:
            child = cls.of(pid)
        except psutil.NoSuchProcess:
            return None
        return child if child.lives() else None

    def process(self) -> psutil.Process | None:
        """This very process; None when it has ended, whoever has its number now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_SECONDS
            # A killed process whose parent has not looked yet is still listed.
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def lives(self) -> bool:
        """Whether this very process still runs."""
        return self.process() is not None


def start_process(
    log: Path,
    command: Sequence[str],
    cwd: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that writes to `log` and is out of reach of the terminal's Ctrl-C: its parent ends it.

    The log of the start before stays beside it. Its working folder is Stillhouse's own: servers import modules from it,
    and read settings there.
    """
    with disk_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.is_file():
            log.replace(log.with_name(log.name + BEFORE))
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


def still_running(processes: Iterable[subprocess.Popen[bytes]]) -> tuple[Child, ...]:
    """Those that have not ended: the number of one that has, and was waited for, is anybody's by now."""
    return tuple(filter(None, (Child.if_alive(one.pid) for one in processes if one.poll() is None)))


def end_processes(children: Iterable[Child], patience: float = STOP_SECONDS) -> None:
    """End processes with all their descendants: asked first, made to after `patience` seconds.

    Raises ServiceError for one that belongs to another user.
    """
    family: list[psutil.Process] = []
    for child in children:
        if (process := child.process()) is not None:
            with suppress(psutil.NoSuchProcess):  # It ended by itself: that is what was wanted.
                family += [process, *process.children(recursive=True)]
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in family:
            send(process, ask)
        _, family = psutil.wait_procs(family, timeout=patience)


def send(process: psutil.Process, ask: Callable[[psutil.Process], None]) -> None:
    """Ask a process to end, if it has not. Raises ServiceError when it belongs to another user."""
    try:
        ask(process)  # psutil looks at the start time again before it sends.
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        raise ServiceError(
            f"process {process.pid} cannot be ended: it belongs to {process.username()}, expected one of your own. "
            "Run the same command as that user."
        ) from None


def ended(name: str, log: Path, process: subprocess.Popen[bytes]) -> ServiceError:
    """The error for a process that should still run, with the last lines of its log and its last error."""
    tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
    error = last_error(log)
    return ServiceError(
        f"{name} ended by itself with code {process.returncode}: expected it to run. "
        f"`stillhouse doctor` looks for the cause. The end of {log}:\n  {tail}"
        + (f"\nIts last error: {error}" if error else "")
    )


def last_error(log: Path) -> str | None:
    """The last line of a log that names an error: an exception with its message, else one of that level."""
    try:
        lines = log.read_text(errors="replace").splitlines()[::-1]
    except FileNotFoundError:
        return None
    for kind in (_EXCEPTION, _LEVEL):
        if found := next((line.strip() for line in lines if kind.match(line)), None):
            return found
    return None


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True
