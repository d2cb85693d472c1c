"""Killed with -9 ten times, each time at a moment that nobody chose, and once more from a process that never was.

A training of some hundred steps writes a checkpoint after each of them: one kill in two comes while one is being written.
"""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.forks import FORKS
from tests.tasks.training.lesson import CONFIG, make_lesson, run
from tests.tasks.training.several import free_port, join

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]

KILLS = 10
SLOWLY = CONFIG.model_copy(
    update={"epochs": 20, "checkpoint_every": 1, "checkpoint_share": 1.0, "patience": 20}
)


def train(folder: Path, process: int, processes: int, port: int) -> None:
    """One of the processes of a training on the CPU, to its end."""
    torch.set_num_threads(1)
    if processes > 1:
        join(process, processes, port)
    run(folder / "work", folder / f"out-{process}", make_lesson(), SLOWLY)
    if processes > 1:
        torch.distributed.destroy_process_group()


class Training:
    """All processes of one attempt."""

    def __init__(self, folder: Path, processes: int) -> None:
        port = free_port()
        self.running = [
            FORKS.Process(target=train, args=(folder, one, processes, port)) for one in range(processes)
        ]
        for process in self.running:
            process.start()

    @property
    def alive(self) -> bool:
        return any(process.is_alive() for process in self.running)

    def kill(self) -> list[int | None]:
        for process in self.running:
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> list[int | None]:
        for process in self.running:
            process.join(timeout=300)
        return [process.exitcode for process in self.running]


def writes(work: Path) -> bool:
    """Whether a checkpoint is being written at this moment."""
    return any(work.glob("*.partial"))


def newest(work: Path) -> int:
    """Steps that are on the disk."""
    return max((int(path.name[5:]) for path in work.glob("step-????????")), default=0)


@pytest.mark.parametrize("processes", [1, 2])
def test_ten_kills_at_any_moment_change_no_byte(tmp_path: Path, processes: int) -> None:
    assert Training(tmp_path / "unbroken", processes).end() == [0] * processes
    dice, folder, in_writing = random.Random(0), tmp_path / "killed", 0
    for attempt in range(KILLS):
        training, target = Training(folder, processes), newest(folder / "work") + dice.randint(1, 9)
        while training.alive and newest(folder / "work") < target:
            time.sleep(0.001)
        waited = time.monotonic() + 2
        while attempt % 2 and training.alive and not writes(folder / "work") and time.monotonic() < waited:
            pass  # until a checkpoint is under way
        codes = training.kill()
        in_writing += writes(folder / "work")
        assert -signal.SIGKILL in codes, "it had ended before: let it train for longer"
    assert in_writing >= 1
    assert Training(folder, processes).end() == [0] * processes
    for process in range(processes):
        assert (folder / f"out-{process}").read_bytes() == (
            tmp_path / "unbroken" / f"out-{process}"
        ).read_bytes()
    shutil.rmtree(tmp_path)
