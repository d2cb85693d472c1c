"""Processes that may be killed: forked from a server that has imported torch once for all of them."""

import multiprocessing
import signal
from collections.abc import Callable

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tasks.train.teacher", "tasks.distill.student", "tests.tasks.training.lesson"])


def run_in_a_process(target: Callable[..., None], *arguments: object) -> int | None:
    """Exit code of `target(*arguments)` in a process of its own: 0 when it ended, -SIGKILL when it was killed."""
    process = SERVER.Process(target=target, args=arguments)
    process.start()
    process.join(timeout=180)
    return process.exitcode


def dies(target: Callable[..., None], *arguments: object) -> bool:
    """Run `target(*arguments)` in a process of its own; whether it was killed."""
    return run_in_a_process(target, *arguments) == -signal.SIGKILL
