"""A file that its writer holds as long as it lives: whoever reads it can tell a live writer from a dead one.

The lock is the operating system's (flock(2)): it ends with the process, however that ends, and everybody on this disk
sees it, in whatever container, under whatever host name and process number.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_held: set[int] = set()  # descriptors of this process's held files


@contextmanager
def held_file(path: Path, text: str) -> Iterator[None]:
    """Write a file, whole or not at all, and hold it until the block ends; then it is taken away."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    _held.add(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        os.fsync(descriptor)
        beside.replace(path)
        yield
    finally:
        if descriptor in _held:  # A forked child that leaves this block too takes nothing away.
            beside.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            _held.remove(descriptor)
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether the process that holds this file lives. Raises FileNotFoundError when there is no such file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _let_go() -> None:
    """A forked child would hold on when its parent is gone."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)
