"""Who counts on a key: locks that die with their holder, however it dies.

    <home>/locks/<key>.lock    held alone by whoever computes, fetches or frees what the key names
    <home>/locks/<key>.used    shared by the runs that count on it, from before they look it up until they end

Who frees a key takes both alone, without waiting, or leaves it. Lock files of a key that nobody holds mean nothing;
they are removed by a holder alone, so that one who waited for a file sees that it has no name any more, and takes the
new one.
"""

import fcntl
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from infra.files import disk_errors

NAME_LENGTH = 20  # digits of a key that name its folders and lock files
ALONE, USED = ".lock", ".used"
OPEN_FILES = 65_536  # a run holds an open file for each of its keys


@contextmanager
def alone_on(locks: Path, key: str, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Hold a key as who computes or fetches what it names, in this thread alone; gives the lock's open file.

    A process that inherits the file holds the key too, until it ends: nobody enters while it lives, whatever becomes of who
    started it. `waiting` is called when another holds it. The folder must stand. Raises OSError where nothing can be locked.
    """
    path = locks / f"{key[:NAME_LENGTH]}{ALONE}"
    file = _take(path)
    if file is None:
        if waiting is not None:
            waiting()
        file = _wait_for(path, fcntl.LOCK_EX)
    try:
        yield file
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # Also where a process that inherited it is still on its way out.
        os.close(file)


@contextmanager
def alone_if_free(locks: Path, key: str) -> Iterator[bool]:
    """The same without waiting; gives False when another holds the key."""
    file = _take(locks / f"{key[:NAME_LENGTH]}{ALONE}")
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)


class KeysInUse:
    """The keys that a run counts on: until `release`, nothing that they name is freed."""

    def __init__(self, locks: Path) -> None:
        self._locks = locks
        self._files: dict[str, int] = {}
        self._one_at_a_time = threading.Lock()

    def hold(self, key: str) -> None:
        """Count on a key from now on. Waits while it is being freed: what is looked up afterwards stays.

        Raises StoreError when the disk refuses.
        """
        name = key[:NAME_LENGTH]
        with self._one_at_a_time, disk_errors(self._locks):
            if name in self._files:
                return
            if not self._files:
                _allow_open_files()
                self._locks.mkdir(parents=True, exist_ok=True)
            self._files[name] = _wait_for(self._locks / f"{name}{USED}", fcntl.LOCK_SH)

    def release(self) -> None:
        """The run has ended. A lock file that no other run holds goes too."""
        with self._one_at_a_time:
            for name, file in self._files.items():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(file)  # Another run counts on the key as well: the file is its.
                else:
                    _remove(self._locks / f"{name}{USED}", file)
            self._files.clear()


@contextmanager
def freeing(locks: Path, key: str) -> Iterator[bool]:
    """Hold a key alone to free what it names; gives False, at once, when somebody computes it or counts on it.

    Its lock files go when it is let go. Raises StoreError when the disk refuses.
    """
    with ExitStack() as held:
        with disk_errors(locks):
            locks.mkdir(parents=True, exist_ok=True)
            alone = _take_alone(locks, key, held)
        yield alone


def keys_in_use(locks: Path) -> set[str]:
    """Names of the keys that somebody computes or counts on at this moment."""
    computed = {path.stem for path in _files(locks, ALONE) if _is_held(path, fcntl.LOCK_SH)}
    return computed | {path.stem for path in _files(locks, USED) if _is_held(path, fcntl.LOCK_EX)}


def locked_keys(locks: Path) -> set[str]:
    """Names of the keys that have lock files, held or not."""
    return {path.stem for kind in (ALONE, USED) for path in _files(locks, kind)}


def _take_alone(locks: Path, key: str, held: ExitStack) -> bool:
    path = locks / f"{key[:NAME_LENGTH]}{ALONE}"
    if not held.enter_context(alone_if_free(locks, key)):
        return False
    users = path.with_suffix(USED)
    file = _take(users)
    if file is None:
        return False
    held.callback(path.unlink, missing_ok=True)
    held.callback(_remove, users, file)
    return True


def _wait_for(path: Path, how: int) -> int:
    """The file of this name, locked; raises BlockingIOError where that would mean waiting, and `how` says not to."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, how)
        except BaseException:
            os.close(file)
            raise
        if os.fstat(file).st_nlink:
            return file
        os.close(file)  # Its last holder took the name along while this one waited.


def _take(path: Path) -> int | None:
    """The file of this name, held alone; None where another holds it."""
    try:
        return _wait_for(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _remove(path: Path, file: int) -> None:
    path.unlink(missing_ok=True)
    os.close(file)


def _is_held(path: Path, how: int) -> bool:
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _files(locks: Path, kind: str) -> Iterator[Path]:
    """Lock files of keys: a `.lock` of another name (`mlflow.lock`) is no key's."""
    return locks.glob(f"*{kind}" if kind == USED else f"{'[0-9a-f]' * NAME_LENGTH}{kind}")


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
