"""Pre-training killed with -9 at random steps, by one process or two, ends with the bytes of a run that was not."""

import random
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from infra.files import folder_digest
from tasks.formats.milestones import milestones_of
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.causal_lm.pretrain import pretrain
from tests.tasks.training.causal_lm.tiny_code import write_code
from tests.tasks.training.killing import Training
from tests.tasks.training.lesson import silent

pytestmark = pytest.mark.slow

STEPS = 150
# In the machine's own precision, by Muon, in several passes, with milestones on the way.
CONFIG = PretrainConfig(
    epochs=None,
    steps=STEPS,
    batch_size=8,
    micro_batch_size=3,
    within_documents=True,
    evaluate_every=25,
    milestone_every=2,
    checkpoint_every=1,
    checkpoint_share=1.0,
)


def train(code: dict[str, Path], folder: Path, process: int) -> None:
    """To its end."""
    pretrain(CONFIG, **code, output_dir=folder / f"out-{process}", work_dir=folder / "work", log=silent)


def killed_and_unbroken(kills: int, processes: int, folder: Path) -> None:
    """Compare a training that was killed so often with one that never was."""
    ours, killed, unbroken = (
        partial(train, write_code(folder / "code")),
        folder / "killed",
        folder / "unbroken",
    )
    assert Training(ours, unbroken, processes).end() == [0] * processes
    for step in sorted(random.Random(kills).sample(range(1, STEPS - 40), kills)):
        training = Training(ours, killed, processes)
        training.wait_for(step)
        assert -signal.SIGKILL in training.kill(), "it had ended before: let it train for longer"
    assert Training(ours, killed, processes).end() == [0] * processes
    for process in range(processes):
        assert folder_digest(killed / f"out-{process}") == folder_digest(unbroken / f"out-{process}")
    assert [step for step, _ in milestones_of(killed / "out-0")] == [50, 100, 150]
    shutil.rmtree(folder)


def test_a_kill_at_a_random_step_changes_no_byte(tmp_path: Path) -> None:
    killed_and_unbroken(1, 1, tmp_path)


@pytest.mark.whole_runs
@pytest.mark.parametrize("processes", [1, 2])
def test_ten_kills_at_random_steps_change_no_byte(tmp_path: Path, processes: int) -> None:
    killed_and_unbroken(10, processes, tmp_path)
