"""A tiny teacher and its student, from packed text to a checkpoint: it learns, the same bytes each time."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from infra.errors import ConfigError
from tasks.compression.distillation.language_model.config import DistillLmConfig, StudentConfig
from tasks.compression.distillation.language_model.distil import distill_lm
from tasks.compression.distillation.language_model.student import write_student
from tasks.data.packing.config import PackConfig
from tasks.data.packing.pack import pack_dataset
from tasks.formats.frozen_masks import read_frozen
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.masked_lm.adapt import adapt
from tasks.training.masked_lm.config import AdaptConfig, FrozenConfig
from tasks.training.masked_lm.freeze import freeze_splits
from tasks.training.masked_lm.frozen import perplexity
from tests.tasks.models.tiny_encoder import tiny_config, tiny_tokenizer, write_dataset
from tests.tasks.training.killing import dies, run_in_a_process

TEACHER = AdaptConfig(
    epochs=None, steps=60, batch_size=16, learning_rate=1e-2, optimizer="adamw", mixed_precision="no"
)
DISTIL = DistillLmConfig(
    student=StudentConfig(begin="random"), epochs=None, steps=24, batch_size=8, learning_rate=1e-2, evaluate_every=6,
    checkpoint_every=4, checkpoint_share=1, mixed_precision="no", dropout=0.1, optimizer="adamw",
)  # fmt: skip


def silent(metrics: object, step: int) -> None:
    """An observer that looks away."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher that has learned something, the text, and the masks."""
    folder = tmp_path_factory.mktemp("distil")
    torch.manual_seed(0)
    MaskedLanguageModel.from_config(tiny_config()).save(folder / "base", tiny_tokenizer())
    dataset = write_dataset(folder / "set", rows=240)
    pack_dataset(PackConfig(length=16), folder / "base", dataset, folder / "tokens")
    freeze_splits(FrozenConfig(documents=30), folder / "tokens", folder / "masks")
    given = {"packed_dir": folder / "tokens", "frozen_dir": folder / "masks"}
    adapt(
        TEACHER, folder / "base", **given, output_dir=folder / "teacher", work_dir=folder / "work", log=silent
    )
    return given | {"teacher_dir": folder / "teacher"}


def distilled(
    sources: dict[str, Path], folder: Path, config: DistillLmConfig = DISTIL, log: object = silent
) -> Mapping[str, float]:
    return distill_lm(config, **sources, output_dir=folder / "out", work_dir=folder / "work", log=log)


def weights(folder: Path) -> bytes:
    return (folder / "out" / "model.safetensors").read_bytes()


class BrokenOff(Exception):
    """What ends a training in the middle."""


@pytest.mark.slow
def test_a_student_gets_better_to_the_same_bytes_also_after_a_break(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    found = distilled(sources, tmp_path / "whole")
    write_student(DISTIL.student, sources["teacher_dir"], tmp_path / "begun")
    masks = read_frozen(sources["frozen_dir"] / "validation")
    before, after = (
        perplexity(MaskedLanguageModel.load(folder), masks, FrozenConfig())
        for folder in (tmp_path / "begun", tmp_path / "whole" / "out")
    )
    assert after < before and after == pytest.approx(found["validation_perplexity"], rel=1e-5)
    assert (found["steps"], found["layers"]) == (24, 2)

    def break_off(metrics: Mapping[str, float], step: int) -> None:
        if step == 20:
            raise BrokenOff

    with pytest.raises(BrokenOff):
        distilled(sources, tmp_path / "broken", log=break_off)
    assert distilled(sources, tmp_path / "broken") == found
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def train_until_killed(sources: dict[str, Path], folder: Path, step: int | None) -> None:
    """Distil in this process; when `step` is given, die there."""

    def kill(metrics: Mapping[str, float], now: int) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    distilled(sources, folder, log=kill)


@pytest.mark.slow
@pytest.mark.whole_runs
def test_a_killed_training_ends_with_the_same_bytes(sources: dict[str, Path], tmp_path: Path) -> None:
    assert run_in_a_process(train_until_killed, sources, tmp_path / "whole", None) == 0
    for step in (6, 12, 20):
        assert dies(train_until_killed, sources, tmp_path / "killed", step)
    assert run_in_a_process(train_until_killed, sources, tmp_path / "killed", None) == 0
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


@pytest.mark.slow
def test_the_hidden_states_alone_teach_a_student_whose_head_stays(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    loss = {"mlm_weight": 0.0, "kl_weight": 0.0, "student": StudentConfig(layers=(1,))}
    found = distilled(sources, tmp_path, DISTIL.model_copy(update=loss))
    student, teacher = (
        MaskedLanguageModel.load(folder) for folder in (tmp_path / "out", sources["teacher_dir"])
    )
    ours, theirs = student.model.vocab_transform, teacher.model.cls.predictions.transform.dense
    assert torch.equal(ours.weight, theirs.weight)
    assert found["layers"] == 1


def test_layers_that_are_not_there_are_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    for update in ({"student": StudentConfig(layers=(0, 3))}, {"freeze_layers": 3}):
        with pytest.raises(ConfigError, match="layers is"):
            distilled(sources, tmp_path, DISTIL.model_copy(update=update))
