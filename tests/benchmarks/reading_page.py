"""docs/READING.md from what was measured. Figures are medians over the rounds, with the lowest and the highest."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tests.benchmarks.page import ratios, spread, table

Way = Literal["prepared", "mapped", "streamed", "at once"]
WAYS: dict[Way, str] = {
    "prepared": "the first `load_dataset`: shards downloaded, then written as Arrow files; no row is read",
    "mapped": "`load_dataset` after that: the Arrow files memory-mapped, every row read",
    "streamed": "`load_dataset(streaming=True)`: every row read from the Hub, nothing kept on the disk",
    "at once": "the mapped rows copied into memory whole",
}


class Reading(BaseModel):
    """One reading; memory is over what the imported libraries hold."""

    model_config = ConfigDict(frozen=True)

    way: Way
    completed: bool
    rows: int
    characters: int
    opening_s: float
    reading_s: float
    own_mib: float
    resident_mib: float


class Setup(BaseModel):
    """What was read, where, and with how much memory."""

    model_config = ConfigDict(frozen=True)

    rows: int
    text_bytes: int
    shard_bytes: int
    limit_mib: int
    cpu: str
    cores: int


def page(setup: Setup, found: Mapping[Way, Sequence[Reading]]) -> str:
    """The whole page."""
    return "\n\n".join([_opening(setup, found), _table(setup, found), _words(setup, found)]) + "\n"


def _opening(setup: Setup, found: Mapping[Way, Sequence[Reading]]) -> str:
    ways = "\n".join(f"- `{way}`: {what}" for way, what in WAYS.items())
    return (
        "# Reading a large data set\n\n"
        f"Written by `python -m tests.benchmarks.reading` (part of `make bench`): {len(found['mapped'])} rounds, in each of "
        "which every way has its turn, in a process of its own. A figure is the median over the rounds, with the lowest and "
        "the highest; a ratio is taken round by round.\n\n"
        f"Read were {setup.rows:,} seeded rows with {setup.text_bytes / 1e6:,.0f} MB of text, pushed to the tests' own Hub on "
        f"this machine as {setup.shard_bytes / 1e6:,.0f} MB of parquet. Each process may hold **{setup.limit_mib} MiB** over "
        "what its imports take (`RLIMIT_DATA`: heap and anonymous memory; mapped files are not counted, for the kernel takes "
        f"their pages back when it needs them).\n\n{ways}\n\n"
        f"Machine: {setup.cpu}, {setup.cores} cores. The Hub is on this machine too, so the figures of `prepared` and "
        "`streamed` are the clients' own cost; a network adds to them."
    )


def _table(setup: Setup, found: Mapping[Way, Sequence[Reading]]) -> str:
    cells = []
    for way, readings in found.items():
        done = all(reading.completed for reading in readings)
        seconds = tuple(reading.reading_s for reading in readings)
        cells.append([
            f"`{way}`",
            spread(tuple(reading.opening_s for reading in readings), 2),
            spread(tuple(setup.rows / one for one in seconds), 0) if done and way != "prepared" else "",
            spread(tuple(reading.own_mib for reading in readings), 0),
            spread(tuple(reading.resident_mib for reading in readings), 0),
            "" if done else f"out of memory in {sum(not r.completed for r in readings)} of {len(readings)}",
        ])  # fmt: skip
    return table(["way", "s to open", "rows/s", "own memory, MiB", "resident, MiB", ""], cells)


def _words(setup: Setup, found: Mapping[Way, Sequence[Reading]]) -> str:
    mapped = tuple(reading.reading_s for reading in found["mapped"])
    streamed = tuple(reading.reading_s for reading in found["streamed"])
    faster, saved = ratios(streamed, mapped), statistics.median(streamed) - statistics.median(mapped)
    preparing = statistics.median(reading.opening_s for reading in found["prepared"])
    pays = f"pays from {math.ceil(preparing / saved)} passes on" if saved > 0 else "never pays"
    peak = max(reading.own_mib for way in ("mapped", "streamed") for reading in found[way])
    return (
        f"Mapped rows are read {spread(faster, 1)} times as fast as streamed ones, and have to be prepared first: on this "
        f"machine that {pays}. Neither way held more than {peak:,.0f} MiB of its own for "
        f"{setup.text_bytes / 2**20:,.0f} MiB of text; *resident* has the mapped pages too. A batch is a thousand rows, as "
        "Python lists; that the rows are all there, in their order, is checked in each reading."
    )
