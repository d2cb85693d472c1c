"""Killed with -9 ten times, each time at a moment that nobody chose, and once more from a process that never was.

A training of some hundred steps writes a checkpoint after each of them: one kill in two comes while one is being written.
"""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.tasks.training.killing import Training, newest
from tests.tasks.training.lesson import CONFIG, make_lesson, run

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]

KILLS = 10
SLOWLY = CONFIG.model_copy(
    update={"epochs": 20, "checkpoint_every": 1, "checkpoint_share": 1.0, "patience": 20}
)


def train(folder: Path, process: int) -> None:
    """To its end."""
    run(folder / "work", folder / f"out-{process}", make_lesson(), SLOWLY)


@pytest.mark.parametrize("processes", [1, 2])
def test_ten_kills_at_any_moment_change_no_byte(tmp_path: Path, processes: int) -> None:
    assert Training(train, tmp_path / "unbroken", processes).end() == [0] * processes
    dice, folder, in_writing = random.Random(0), tmp_path / "killed", 0
    for attempt in range(KILLS):
        training = Training(train, folder, processes)
        training.wait_for(newest(folder / "work") + dice.randint(1, 9))
        waited = time.monotonic() + 2
        while attempt % 2 and training.alive and not training.writes and time.monotonic() < waited:
            pass  # until a checkpoint is under way
        codes = training.kill()
        in_writing += training.writes
        assert -signal.SIGKILL in codes, "it had ended before: let it train for longer"
    assert in_writing >= 1
    assert Training(train, folder, processes).end() == [0] * processes
    for process in range(processes):
        assert (folder / f"out-{process}").read_bytes() == (
            tmp_path / "unbroken" / f"out-{process}"
        ).read_bytes()
    shutil.rmtree(tmp_path)
