"""One reading of a data set on the Hub, with little memory: `python -m tests.benchmarks.reader REPO REVISION WAY MIB`.

The limit is RLIMIT_DATA (`ulimit -d`): what a process may hold of its own, heap and anonymous memory. A limit of the address
space would count mapped files too, though the kernel takes their pages back when it needs them; a cgroup wants root, and counts
the page cache that all processes share. It begins where the imported libraries end.
"""

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import datasets
import pyarrow as pa

from tests.benchmarks.reading_page import Reading, Way

BATCH = 1_000  # rows that are asked for at once
EVERY = 0.02  # seconds between two looks at the memory
STATUS = Path("/proc/self/status")


class Memory:
    """The most memory that was held over what was held at the start, MiB."""

    def __init__(self) -> None:
        self.start, self.own, self.resident = _status(), 0.0, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _look_again(self) -> None:
        while not self._stop.wait(EVERY):
            self._look()

    def _look(self) -> None:
        now = _status()
        self.own = max(self.own, now["RssAnon"] - self.start["RssAnon"])
        self.resident = max(self.resident, now["VmRSS"] - self.start["VmRSS"])


def read(repo: str, revision: str, way: Way) -> Reading:
    """Open the data set in one of the ways, and take every row of it."""
    started, completed, rows, characters = time.perf_counter(), True, 0, 0
    with Memory() as memory:
        found = datasets.load_dataset(repo, revision=revision, split="train", streaming=way == "streamed")
        opened = time.perf_counter()
        try:
            if way == "at once":
                table = found.with_format("arrow")[:].combine_chunks()
                rows = table.num_rows
            elif way in ("mapped", "streamed"):
                for ids, texts in _batches(found):
                    if ids != list(range(rows, rows + len(ids))):
                        raise RuntimeError(
                            f"{way}: other rows after row {rows}, expected them in their order"
                        )
                    rows, characters = rows + len(ids), characters + sum(map(len, texts))
        except MemoryError:
            completed = False
        ended = time.perf_counter()
    return Reading(
        way=way,
        completed=completed,
        rows=rows,
        characters=characters,
        opening_s=opened - started,
        reading_s=ended - opened,
        own_mib=memory.own,
        resident_mib=memory.resident,
    )


def _batches(found: "datasets.Dataset | datasets.IterableDataset") -> Iterator[tuple[list[int], list[str]]]:
    for batch in found.iter(batch_size=BATCH):
        yield batch["id"], batch["text"]


def _status() -> dict[str, float]:
    """What Linux says of this process, in MiB."""
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[-1] == "kB"}


@contextmanager
def limited(mib: int) -> Iterator[None]:
    """At most so much memory over what is held now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (int((_status()["VmData"] + mib) * 2**20), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


if __name__ == "__main__":
    # The limit counts the stack of a thread whole, 8 MB, and `datasets` downloads with sixteen.
    threading.stack_size(2**20)
    pa.set_io_thread_count(2)
    pa.set_memory_pool(
        pa.system_memory_pool()
    )  # The others reserve memory in advance, which the limit counts.
    with limited(int(sys.argv[4])):
        reading = read(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]
    print(reading.model_dump_json())
