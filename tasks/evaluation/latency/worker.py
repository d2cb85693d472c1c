"""What a worker does (tasks/evaluation/latency/process.py): it holds one model, and times itself.

Between calls it waits and uses no processor. What goes to and from its parent is outside of what is timed.
"""

import time
from collections.abc import Callable, Sequence

from infra.errors import ConfigError
from tasks.evaluation.latency.protocol import Open, Opened, Setting
from tasks.evaluation.latency.runtimes import RunnerUnderTest, open_runner_under_test

Answer = Callable[[Sequence[str]], object]
SHORTEST_RUN_S = 0.5  # throughput passes are repeated until they took this long, or a fast model is all noise
_held: list[RunnerUnderTest] = []  # at most one


def open_model(request: Open) -> Opened:
    """Load a model; raises ArtifactError when it cannot be read."""
    runner = open_runner_under_test(request)
    _held[:] = [runner]
    return Opened(runtime=runner.runtime, size_bytes=runner.size_bytes)


def held() -> RunnerUnderTest:
    """The model; raises ConfigError when there is none yet."""
    if not _held:
        raise ConfigError("a figure was asked before a model was opened: expected open_model first.")
    return _held[0]


def tune(query: str, calls: int) -> Setting:
    """The setting of smallest median latency over `calls` each; it is in use from then on."""
    runner = held()
    medians: list[tuple[int, int]] = []
    for setting in runner.settings if len(runner.settings) > 1 else ():
        runner.use(setting)
        times = sorted(time_calls(query, max(2, calls // 4), calls))
        medians.append((times[len(times) // 2], len(medians)))
    return use(runner.settings[min(medians)[1] if medians else 0])


def use(setting: Setting) -> Setting:
    """Answer with this setting from now on."""
    held().use(setting)
    return setting


def time_calls(query: str, warmups: int, timed: int) -> list[int]:
    """Nanoseconds of each of `timed` calls, from string to scores, after `warmups` that are not counted."""
    runner = held()
    for _ in range(warmups):
        runner.answer([query])
    return time_texts([query] * timed)


def time_texts(texts: Sequence[str]) -> list[int]:
    """Nanoseconds of one call for each text, from string to scores."""
    runner, times = held(), []
    for text in texts:
        start = time.perf_counter_ns()
        runner.answer([text])
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


def padded_answer(runner: RunnerUnderTest) -> Answer:
    """How `contestant` answers texts padded to all positions; raises ConfigError for one that never does."""
    answer: Answer | None = getattr(runner, "answer_padded", None)
    if answer is None:
        raise ConfigError("only the yardstick pads texts to all its positions: expected padded to be false.")
    return answer
