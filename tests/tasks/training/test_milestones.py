"""Milestones are checkpoints of their own: in the artifact, and on a branch of the Hub."""

from pathlib import Path

import pytest
import torch

from infra.errors import StoreError
from infra.hub.local import LocalHub
from tasks.formats.milestones import milestones_of
from tasks.models.model import SentenceClassifier
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.teacher import train_teacher
from tasks.training.milestones import Milestones, move_milestones
from tests.tasks.models.tiny_encoder import write_base, write_dataset
from tests.tasks.training.killing import run_together
from tests.tasks.training.lesson import silent
from tests.tasks.training.several import free_port, join

CONFIG = TrainConfig(
    epochs=3, max_length=32, learning_rate=1e-3, batch_size=8, mixed_precision="no", freeze_words=False
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("made")
    return write_base(folder / "base"), write_dataset(folder / "set")


def train(folders: tuple[Path, Path], folder: Path, config: TrainConfig) -> Path:
    train_teacher(config, *folders, folder / "out", folder / "work", silent)
    return folder / "out"


def test_every_evaluation_that_was_asked_for_is_a_checkpoint_in_the_artifact(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    every = train(folders, tmp_path / "every", CONFIG.model_copy(update={"milestone_every": 1}))
    second = train(folders, tmp_path / "second", CONFIG.model_copy(update={"milestone_every": 2}))
    none = train(folders, tmp_path / "none", CONFIG)
    steps = [step for step, _ in milestones_of(every)]
    assert [step for step, _ in milestones_of(second)] == steps[1::2] and milestones_of(none) == []
    assert steps == [steps[0], 2 * steps[0], 3 * steps[0]]
    models = [SentenceClassifier.load(folder).head.weight for _, folder in milestones_of(every)]
    assert not torch.equal(models[0], models[1])
    # They change nothing of what is trained.
    assert (every / "model.safetensors").read_bytes() == (none / "model.safetensors").read_bytes()


def train_as_one_of_two(process: int, port: int, base: Path, dataset: Path, folder: Path) -> None:
    """As the engine has it: one folder to work in, and one for what is written for each."""
    join(process, 2, port)
    config = CONFIG.model_copy(update={"milestone_every": 1})
    train_teacher(config, base, dataset, folder / f"rank-{process}", folder / "work", silent)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_of_two_processes_the_first_has_the_milestones(folders: tuple[Path, Path], tmp_path: Path) -> None:
    port = free_port()
    calls = [(train_as_one_of_two, (process, port, *folders, tmp_path)) for process in range(2)]
    assert run_together(calls) == [0, 0]
    assert len(milestones_of(tmp_path / "rank-0")) == 3 and milestones_of(tmp_path / "rank-1") == []


def test_a_milestone_that_was_cut_is_none(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "model").write_text("whole")

    keep = Milestones(1, save).keeper(tmp_path / "work", 5)
    assert keep is not None
    for step in (5, 7, 10):
        keep(step)
    (tmp_path / "work" / "milestones" / "step-00000015.partial").mkdir()
    move_milestones(tmp_path / "work", tmp_path / "out")
    assert [step for step, _ in milestones_of(tmp_path / "out")] == [5, 10]
    assert not (tmp_path / "work" / "milestones").exists()


def test_a_disk_that_takes_no_milestone_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "work" / "milestones").mkdir(parents=True)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="milestones could not be moved"):
        move_milestones(tmp_path / "work", tmp_path / "out")


def test_pushed_again_they_stay_in_the_order_of_their_steps(tmp_path: Path) -> None:
    hub = LocalHub(tmp_path / "hub")
    for _ in range(2):
        for step in (5, 10):
            (tmp_path / "made").mkdir(exist_ok=True)
            (tmp_path / "made" / "model").write_text(str(step))
            hub.push("model", "o/m", tmp_path / "made", f"Step {step}", source="s", main=False)
    assert [found.message for found in hub.revisions("model", "o/m")] == ["Step 10", "Step 5"]
    assert hub.main("model", "o/m") is None
