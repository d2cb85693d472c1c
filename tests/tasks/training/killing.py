"""Processes that may be killed: forked from a server that has imported everything once."""

import signal
from collections.abc import Callable, Iterable

from tests.forks import FORKS


def run_together(calls: Iterable[tuple[Callable[..., None], tuple[object, ...]]]) -> list[int | None]:
    """Exit codes of several calls, each in a process of its own, at the same time."""
    processes = [FORKS.Process(target=target, args=arguments) for target, arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=400)
    return [process.exitcode for process in processes]


def run_in_a_process(target: Callable[..., None], *arguments: object) -> int | None:
    """Exit code of `target(*arguments)` in a process of its own: 0 when it ended, -SIGKILL when it was killed."""
    return run_together([(target, arguments)])[0]


def dies(target: Callable[..., None], *arguments: object) -> bool:
    """Run `target(*arguments)` in a process of its own; whether it was killed."""
    return run_in_a_process(target, *arguments) == -signal.SIGKILL
