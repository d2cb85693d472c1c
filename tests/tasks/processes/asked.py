"""What the tests ask of a worker: a module of its own, which imports nothing that they look for."""

import os
import resource
import sys
import threading
import time
from pathlib import Path

import psutil

from infra.errors import DataError

HELD: list[bytearray] = []


class Odd(Exception):
    """It cannot be told to another process: it is made with two words and kept with one."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def modules() -> set[str]:
    """Names of all modules that are imported here."""
    return set(sys.modules)


def variable(name: str) -> str | None:
    """An environment variable."""
    return os.environ.get(name)


def add(first: int, second: int) -> int:
    """A sum."""
    return first + second


def hold(megabytes: int) -> tuple[int, int]:
    """Take memory and keep it: the process, and how often it was asked."""
    HELD.append(bytearray(b"x") * (megabytes << 20))
    return os.getpid(), len(HELD)


def hold_beyond(gigabytes: int) -> None:
    """Take more memory than the process may have."""
    resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))
    hold(gigabytes << 10)


def refuse() -> None:
    """An error of ours."""
    raise DataError("no rows")


def fail() -> None:
    """Any other error."""
    raise KeyError("a name")


def fail_oddly() -> None:
    """An error that cannot be told."""
    raise Odd("a", "b")


def abort(words: str) -> None:
    """Die as a library does."""
    print(words, file=sys.stderr, flush=True)
    os.abort()


def leave(code: int) -> None:
    """End the process."""
    os._exit(code)


def wait(started: Path) -> None:
    """Say that this began, and never answer."""
    started.write_text(str(os.getpid()))
    time.sleep(600)


def work_on() -> None:
    """Answer, and use the processor from then on, as a library's thread does that waits by spinning."""
    threading.Thread(target=lambda: all(iter(lambda: True, False)), daemon=True).start()


def listening() -> list[str]:
    """Sockets that this process and its parent's other children listen on."""
    family = [psutil.Process(), *psutil.Process(os.getppid()).children(recursive=True)]
    return [str(found) for one in family for found in one.net_connections() if found.status == "LISTEN"]
