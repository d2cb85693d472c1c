"""Kill the flow at random moments, run it again each time, and compare what comes out with an unbroken run.

    python -m tests.flows.kill_drill --kills 20

The moments are the seed's; a home whose run came to its end is followed by a fresh one. Exit code 1 if a finished
stage was computed again, or a digest differs.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.flows.running import Running, start
from tests.flows.tiny import write_tiny

MEASURED = {
    "benchmark",
    "gate",
}  # a benchmark is a measurement: it, and what is judged by it, has bytes of its own
Stages = list[tuple[str, str]]


@dataclass(frozen=True)
class Drilled:
    """What became of a home in which runs were killed: how often, and the run that came to its end."""

    kills: int
    exit_code: int
    digests: Stages
    lost: list[str]


def finished(running: Running) -> Stages:
    """Stages that a run had done, computed or cached, with the start of their digests."""
    return [(line.stage, line.digest) for line in running.lines if line.state != "running"]


def lost(runs: Sequence[Running]) -> list[str]:
    """Stages that one of successive runs had finished and a later one computed again."""
    again: list[str] = []
    done: Stages = []
    for running in runs:
        ended = [line for line in running.lines if line.state != "running"]
        again += [line.stage for line in ended[: len(done)] if line.state != "cached"]
        done = max(done, finished(running), key=len)
    return again


def drill(begin: Callable[[], Running], kills: int, longest: float, moments: random.Random) -> Drilled:
    """Begin a run, kill it within `longest` seconds, and again, until one comes to its end or `kills` are spent."""
    runs = [begin()]
    for _ in range(kills):
        runs[-1].process.join(moments.uniform(0, longest))
        if not runs[-1].process.is_alive():
            break
        runs[-1].kill()
        runs.append(begin())
    code = runs[-1].wait()
    return Drilled(len(runs) - 1, code, finished(runs[-1]), lost(runs))


def main() -> int:
    """Drill until the kills are spent, and say what was found."""
    parser = argparse.ArgumentParser(
        description="Kill the flow at random moments; compare with an unbroken run."
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--longest",
        type=float,
        help="seconds from a start to its kill, at most; default: a third of an unbroken run",
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill-drill-") as folder, prefect_server(Path(folder)):
        return drill_all(Path(folder), asked.kills, asked.longest, random.Random(asked.seed))


def drill_all(place: Path, kills: int, longest: float | None, moments: random.Random) -> int:
    """Drill home after home in `place`; 1 if one of them ended otherwise than an unbroken run."""
    tiny, began = write_tiny(place), time.monotonic()
    unbroken = start(place / "unbroken", tiny.arguments())
    code, seconds = unbroken.wait(), time.monotonic() - began
    sys.stderr.write(f"unbroken: exit code {code}, {seconds:.0f} s\n")
    faults = homes = 0
    while kills > 0:
        homes += 1
        begin = partial(start, place / f"home{homes}", tiny.arguments())
        result = drill(begin, kills, longest or seconds / 3, moments)
        kills -= result.kills
        same = unmeasured(result.digests) == unmeasured(finished(unbroken))
        faults += bool(result.lost) or not same or result.exit_code != code
        sys.stderr.write(
            f"home {homes}: {result.kills} kills, exit code {result.exit_code}, digests "
            f"{'the same' if same else 'DIFFERENT'}, computed again: {dict(Counter(result.lost)) or 'nothing'}\n"
        )
    return int(faults > 0)


@contextmanager
def prefect_server(place: Path) -> Iterator[None]:
    """A server of the drill's own, as the test suite has one: the developer's is left alone."""
    os.environ |= {"STILLHOUSE_HOME": str(place), "PREFECT_HOME": str(place / "prefect")}
    (place / "prefect").mkdir()
    # Prefect reads its environment when it is imported, so not before it is set.
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=400):
        os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value()
        yield


def unmeasured(stages: Stages) -> Stages:
    """Stages whose bytes do not depend on a stopwatch."""
    return [stage for stage in stages if stage[0] not in MEASURED]


if __name__ == "__main__":
    raise SystemExit(main())
