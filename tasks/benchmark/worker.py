"""What a worker does (tasks/benchmark/process.py): it holds one model, and times itself.

Between calls it waits and uses no processor. What goes to and from its parent is outside of what is timed.
"""

import time
from collections.abc import Callable, Sequence

from infra.errors import ConfigError
from tasks.benchmark.protocol import Open, Opened, Setting
from tasks.benchmark.runtimes import Contestant, open_contestant

Answer = Callable[[Sequence[str]], object]
SHORTEST_RUN_S = 0.5  # throughput passes are repeated until they took this long, or a fast model is all noise
_held: list[Contestant] = []  # at most one


def open_model(request: Open) -> Opened:
    """Load a model; raises ArtifactError when it cannot be read."""
    contestant = open_contestant(request)
    _held[:] = [contestant]
    return Opened(runtime=contestant.runtime, size_bytes=contestant.size_bytes)


def held() -> Contestant:
    """The model; raises ConfigError when there is none yet."""
    if not _held:
        raise ConfigError("a figure was asked before a model was opened: expected open_model first.")
    return _held[0]


def tune(query: str, calls: int) -> Setting:
    """The setting of smallest median latency over `calls` each; it is in use from then on."""
    contestant = held()
    medians: list[tuple[int, int]] = []
    for setting in contestant.settings if len(contestant.settings) > 1 else ():
        contestant.use(setting)
        times = sorted(time_calls(query, max(2, calls // 4), calls))
        medians.append((times[len(times) // 2], len(medians)))
    return use(contestant.settings[min(medians)[1] if medians else 0])


def use(setting: Setting) -> Setting:
    """Answer with this setting from now on."""
    held().use(setting)
    return setting


def time_calls(query: str, warmups: int, timed: int) -> list[int]:
    """Nanoseconds of each of `timed` calls, from string to scores, after `warmups` that are not counted."""
    contestant = held()
    for _ in range(warmups):
        contestant.answer([query])
    times = []
    for _ in range(timed):
        start = time.perf_counter_ns()
        contestant.answer([query])
        times.append(time.perf_counter_ns() - start)
    return times


def throughput(batches: Sequence[Sequence[str]], padded: bool = False) -> float:
    """Rows a second over whole passes of `batches`, after one batch that is not counted.

    `padded`: every text padded to all positions, which the yardstick alone can; others raise ConfigError.
    """
    answer = padded_answer(held()) if padded else held().answer
    answer(batches[len(batches) // 2])
    rows, start, seconds = 0, time.perf_counter(), 0.0
    while seconds < SHORTEST_RUN_S:
        for batch in batches:
            answer(batch)
            rows += len(batch)
        seconds = time.perf_counter() - start
    return rows / seconds


def padded_answer(contestant: Contestant) -> Answer:
    """How `contestant` answers texts padded to all positions; raises ConfigError for one that never does."""
    answer: Answer | None = getattr(contestant, "answer_padded", None)
    if answer is None:
        raise ConfigError("only the yardstick pads texts to all its positions: expected padded to be false.")
    return answer
