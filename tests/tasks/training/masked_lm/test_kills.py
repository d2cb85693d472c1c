"""Adapting, from texts to a model, twice in folders of its own; and killed with -9 at five random steps."""

import random
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from infra.files import folder_digest
from tasks.formats.milestones import milestones_of
from tasks.training.masked_lm.adapt import adapt
from tasks.training.masked_lm.config import AdaptConfig, TrainingMaskingConfig
from tests.tasks.training.killing import Training
from tests.tasks.training.lesson import silent
from tests.tasks.training.masked_lm.tiny_text import write_text

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]

KILLS, STEPS = 5, 120
# In the machine's own precision, with all that is drawn by chance, and milestones on the way.
CONFIG = AdaptConfig(
    masking=TrainingMaskingConfig(kind="whole_word", rate=0.3, mask_share=0.8, random_share=0.1),
    epochs=None,
    steps=STEPS,
    batch_size=8,
    dropout=0.1,
    evaluate_every=15,
    milestone_every=2,
    checkpoint_every=1,
    checkpoint_share=1.0,
)


def train(text: dict[str, Path], folder: Path, process: int) -> None:
    """To its end."""
    given = {name: text[name] for name in ("base_dir", "packed_dir", "frozen_dir")}
    adapt(CONFIG, **given, output_dir=folder / f"out-{process}", work_dir=folder / "work", log=silent)


def train_from_texts(folder: Path, process: int) -> None:
    """With the stages before it."""
    train(write_text(folder / "text"), folder, process)


def test_the_same_seed_twice_gives_the_same_digests(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    assert [Training(train_from_texts, folder).end() for folder in folders] == [[0], [0]]
    for name in ("text/tokens", "text/masks", "text/head", "out-0"):
        first, second = (folder_digest(folder / name) for folder in folders)
        assert first == second, name
    assert len(milestones_of(tmp_path / "first" / "out-0")) == STEPS // 30


@pytest.mark.parametrize("processes", [1, 2])
def test_five_kills_at_random_steps_change_no_byte(tmp_path: Path, processes: int) -> None:
    ours, folder = partial(train, write_text(tmp_path / "text")), tmp_path / "killed"
    assert Training(ours, tmp_path / "unbroken", processes).end() == [0] * processes
    for step in sorted(random.Random(0).sample(range(1, STEPS - 30), KILLS)):
        training = Training(ours, folder, processes)
        training.wait_for(step)
        assert -signal.SIGKILL in training.kill(), "it had ended before: let it train for longer"
    assert Training(ours, folder, processes).end() == [0] * processes
    for process in range(processes):
        killed, unbroken = (folder_digest(of / f"out-{process}") for of in (folder, tmp_path / "unbroken"))
        assert killed == unbroken
    shutil.rmtree(tmp_path)
