"""Processes that may be killed: forked from a server that has imported everything once."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from tests.forks import FORKS
from tests.tasks.training.several import free_port, join


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


class Training:
    """All processes of one attempt at a training, on the CPU: of each, `train(folder, process)`."""

    def __init__(self, train: Callable[[Path, int], None], folder: Path, processes: int = 1) -> None:
        self.work, port = folder / "work", free_port()
        self.running = [
            FORKS.Process(target=_take_part, args=(train, folder, one, processes, port))
            for one in range(processes)
        ]
        for process in self.running:
            process.start()

    @property
    def alive(self) -> bool:
        return any(process.is_alive() for process in self.running)

    @property
    def writes(self) -> bool:
        """Whether a checkpoint is being written at this moment, or was when it was killed."""
        return any(self.work.glob("*.partial"))

    def wait_for(self, step: int) -> None:
        """Until a checkpoint of this step, or of a later one, is on the disk, or the training has ended."""
        while self.alive and newest(self.work) < step:
            time.sleep(0.001)

    def kill(self) -> list[int | None]:
        for process in self.running:
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> list[int | None]:
        for process in self.running:
            process.join(timeout=300)
        return [process.exitcode for process in self.running]


def newest(work: Path) -> int:
    """Steps that are on the disk."""
    return max((int(path.name[5:]) for path in work.glob("step-????????")), default=0)


def _take_part(
    train: Callable[[Path, int], None], folder: Path, process: int, processes: int, port: int
) -> None:
    torch.set_num_threads(1)
    if processes > 1:
        join(process, processes, port)
    train(folder, process)
    if processes > 1:
        torch.distributed.destroy_process_group()
