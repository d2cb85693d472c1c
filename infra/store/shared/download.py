"""An object into a file, several ranges at once: what is there of it already is not fetched again.

While ranges are under way, a note beside the file says which have arrived; it goes when the file is whole. A file without a
note is taken for its own beginning. Whatever was broken off, the sha256 of the whole decides.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from infra.store.shared.bucket import PARALLEL, in_parallel
from infra.store.shared.object_store import ObjectStore

NOTE = ".ranges-"
Range = tuple[int, int]  # from, to (exclusive)


def download(
    objects: ObjectStore,
    name: str,
    path: Path,
    size: int,
    part_bytes: int,
    whole: Callable[[Path], bool],
    at_once: int = PARALLEL,
) -> bool:
    """Download what is missing of a file of `size` bytes; once more from its start when it is not `whole`.

    At most `at_once` ranges of `part_bytes` are under way, and in memory. False when it is not whole then either.
    Raises StoreError where the place refuses.
    """
    note = path.with_name(NOTE + hashlib.sha256(path.name.encode()).hexdigest()[:16])
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        there = _arrived(path, note, size)
        missing = _gaps(there, size, part_bytes)
        path.touch()
        if len(missing) > 1:
            note.write_text(_lines(there), encoding="utf-8")
        _fill(objects, name, path, missing, note if len(missing) > 1 else None, at_once)
        right = whole(path)
        note.unlink(missing_ok=True)
        if right:
            return True
        path.unlink()
    return False


def _fill(
    objects: ObjectStore, name: str, path: Path, missing: list[Range], note: Path | None, at_once: int
) -> None:
    """Write each range at its place, and note it when it is there. Where the object ends too soon, so does its range."""
    one_at_a_time = threading.Lock()
    with path.open("r+b") as file:

        def fetch(span: Range) -> None:
            start, end = span
            while start < end:
                data = objects.read_range(name, start, end)
                if not data:
                    return
                _write(file.fileno(), data, start)
                start += len(data)
            if note is not None:
                with one_at_a_time, note.open("a", encoding="utf-8") as noted:
                    noted.write(_lines([span]))

        for _ in in_parallel(fetch, missing, at_once):
            pass


def _write(file: int, data: bytes, start: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, start)
        rest, start = rest[written:], start + written


def _arrived(path: Path, note: Path, size: int) -> list[Range]:
    """What is there of a file: by its note, else its beginning."""
    if not path.is_file():
        return []
    if note.is_file():
        # A kill can cut the last line short: without its end it says nothing.
        lines = note.read_text(encoding="utf-8").split("\n")[:-1]
        return [(int(start), int(end)) for start, end in (line.split() for line in lines)]
    length = path.stat().st_size
    if length > size:
        path.unlink()
        return []
    return [(0, length)]


def _gaps(there: Iterable[Range], size: int, part_bytes: int) -> list[Range]:
    """What is missing, in ranges of at most `part_bytes`."""
    gaps: list[Range] = []
    reached = 0
    for start, end in [*sorted(there), (size, size)]:
        gaps += [(at, min(at + part_bytes, start)) for at in range(reached, start, part_bytes)]
        reached = max(reached, end)
    return gaps


def _lines(ranges: Iterable[Range]) -> str:
    return "".join(f"{start} {end}\n" for start, end in ranges)
