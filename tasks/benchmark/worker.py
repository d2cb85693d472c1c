"""A worker holds one model in one runtime, in a process of its own: `python -m tasks.benchmark.worker`.

It reads requests (tasks/benchmark/protocol.py) from stdin and answers on stdout. Between requests it blocks
on stdin and uses no processor; when stdin ends, because its parent is done or was killed, it exits.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from pydantic import BaseModel

from infra.errors import ConfigError, StillhouseError
from tasks.benchmark.protocol import (
    REQUESTS,
    Latency,
    Open,
    Opened,
    Rate,
    Refused,
    Setting,
    Throughput,
    Timed,
    Tune,
    Use,
)
from tasks.benchmark.runtimes import Contestant, open_contestant

Answer = Callable[[Sequence[str]], object]
SHORTEST_RUN_S = 0.5  # throughput passes are repeated until they took this long, or a fast model is all noise


def main() -> int:
    """Serve requests until stdin ends."""
    replies = _take_stdout()
    contestant: Contestant | None = None
    for line in sys.stdin:
        request = REQUESTS.validate_json(line)
        try:
            if isinstance(request, Open):
                contestant = open_contestant(request)
                reply: BaseModel = Opened(runtime=contestant.runtime, size_bytes=contestant.size_bytes)
            elif contestant is None:
                reply = Refused(
                    refused=f"{request.command} was asked before a model was opened. Send open first."
                )
            else:
                reply = respond(contestant, request)
        except StillhouseError as error:
            reply = Refused(refused=str(error))
        replies.write(reply.model_dump_json() + "\n")
        replies.flush()
    return 0


def respond(contestant: Contestant, request: Tune | Use | Latency | Throughput) -> Setting | Timed | Rate:
    """Do what `request` asks of a loaded model."""
    if isinstance(request, Tune):
        return tune(contestant, request.query, request.calls)
    if isinstance(request, Use):
        contestant.use(request.setting)
        return request.setting
    if isinstance(request, Latency):
        return Timed(nanoseconds=tuple(time_calls(contestant, request.query, request.warmups, request.timed)))
    answer = padded_answer(contestant) if request.padded else contestant.answer
    return Rate(rows_per_s=throughput(answer, request.batches))


def tune(contestant: Contestant, query: str, calls: int) -> Setting:
    """The setting of smallest median latency; it is in use from then on."""
    medians: list[tuple[int, int]] = []
    for setting in contestant.settings if len(contestant.settings) > 1 else ():
        contestant.use(setting)
        times = sorted(time_calls(contestant, query, max(2, calls // 4), calls))
        medians.append((times[len(times) // 2], len(medians)))
    best = contestant.settings[min(medians)[1] if medians else 0]
    contestant.use(best)
    return best


def time_calls(contestant: Contestant, query: str, warmups: int, timed: int) -> list[int]:
    """Nanoseconds of each of `timed` calls, from string to scores, after `warmups` that are not counted."""
    for _ in range(warmups):
        contestant.answer([query])
    times = []
    for _ in range(timed):
        start = time.perf_counter_ns()
        contestant.answer([query])
        times.append(time.perf_counter_ns() - start)
    return times


def padded_answer(contestant: Contestant) -> Answer:
    """How `contestant` answers texts padded to all positions; raises ConfigError for one that never does."""
    answer: Answer | None = getattr(contestant, "answer_padded", None)
    if answer is None:
        raise ConfigError("only the yardstick pads texts to all its positions: expected padded to be false.")
    return answer


def throughput(answer: Answer, batches: Sequence[Sequence[str]]) -> float:
    """Rows a second over whole passes of `batches`, after one batch that is not counted."""
    answer(batches[len(batches) // 2])
    rows, start, seconds = 0, time.perf_counter(), 0.0
    while seconds < SHORTEST_RUN_S:
        for batch in batches:
            answer(batch)
            rows += len(batch)
        seconds = time.perf_counter() - start
    return rows / seconds


def _take_stdout() -> TextIO:
    """Stdout for replies alone: what a library prints goes to stderr from here on."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


if __name__ == "__main__":
    sys.exit(main())
