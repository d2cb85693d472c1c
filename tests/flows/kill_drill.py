"""Kill the flow at random moments, run it again each time, and compare what comes out with an unbroken run.

    python -m tests.flows.kill_drill --kills 20

The moments are the seed's; a home whose run came to its end is followed by a fresh one. Exit code 1 if a finished
stage was computed again, or a digest differs.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect.testing.utilities import prefect_test_harness

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
    again = []
    for before, after in zip(runs, runs[1:], strict=False):
        ended = [line for line in after.lines if line.state != "running"]
        again += [now.stage for _, now in zip(finished(before), ended, strict=False) if now.state != "cached"]
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
    parser.add_argument("--longest", type=float, default=6.0, help="seconds from a start to a kill, at most")
    asked = parser.parse_args()
    moments, left, home = random.Random(asked.seed), asked.kills, 0
    with tempfile.TemporaryDirectory(prefix="kill-drill-") as folder, prefect_test_harness():
        place, tiny = Path(folder), write_tiny(Path(folder))
        began = time.monotonic()
        unbroken = start(place / "unbroken", tiny.arguments())
        code = unbroken.wait()
        sys.stderr.write(f"unbroken: exit code {code}, {time.monotonic() - began:.0f} s\n")
        faults = 0
        while left > 0:
            home += 1
            result = drill(
                lambda: start(place / f"home{home}", tiny.arguments()), left, asked.longest, moments
            )
            left -= result.kills
            same = _unmeasured(result.digests) == _unmeasured(finished(unbroken))
            faults += bool(result.lost) or not same or result.exit_code != code
            sys.stderr.write(
                f"home {home}: {result.kills} kills, exit code {result.exit_code}, digests "
                f"{'the same' if same else 'DIFFERENT'}, computed again: {dict(Counter(result.lost)) or 'nothing'}\n"
            )
    return int(faults > 0)


def _unmeasured(stages: Stages) -> Stages:
    return [stage for stage in stages if stage[0] not in MEASURED]


if __name__ == "__main__":
    raise SystemExit(main())
