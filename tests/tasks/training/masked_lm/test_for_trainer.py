"""transformers' `Trainer` on our blocks and masks: the page's code as it stands there, and the same step as our loop's."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.objective import Draw
from tasks.training.masked_lm.config import MaskingConfig
from tasks.training.masked_lm.for_trainer import BlockDataset, MaskingCollator, TellPass, mean_over_step
from tasks.training.masked_lm.objective import MaskedLmBatch, MaskedLmObjective
from tests.conftest import ROOT
from tests.pages import python_blocks
from tests.tasks.training.masked_lm.tiny_text import write_text
from tests.tasks.training.masked_lm.toy import VOCABULARY_IDS, random_blocks, tiny_model

PAGE = Path("docs") / "masked-lm-with-transformers.md"
BLOCKS = random_blocks(24, 32)
MASKING = MaskingConfig(kind="whole_word", rate=0.3, mask_share=0.8, random_share=0.1)
SEED = 3
OBJECTIVE = MaskedLmObjective(BLOCKS, MASKING, VOCABULARY_IDS)
COLLATOR = MaskingCollator(MASKING, VOCABULARY_IDS, SEED)
Batch = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _no_state_that_stays() -> Iterator[None]:
    """What accelerate was told would hold for the trainings of other tests."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def ours(numbers: Sequence[int], epoch: int = 0) -> MaskedLmBatch:
    """The batch that our loop would make."""
    return OBJECTIVE.batch(np.array(numbers), Draw(SEED, epoch))


def rows_of(batches: Sequence[Batch]) -> list[list[list[int]]]:
    """Inputs and labels of each block, in an order of their own."""
    return sorted(
        [ids, labels]
        for batch in batches
        for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
    )


def whole_pass(epoch: int) -> list[list[list[int]]]:
    return rows_of([ours(range(len(BLOCKS)), epoch)._asdict()])


def trainer_of(
    model: MaskedLanguageModel, folder: Path, collator: MaskingCollator = COLLATOR, **arguments: Any
) -> Trainer:
    dataset = BlockDataset(BLOCKS)
    asked = TrainingArguments(
        folder, per_device_train_batch_size=8, use_cpu=True, report_to="none", disable_tqdm=True, **arguments
    )
    return Trainer(
        model.model, asked, collator, dataset, compute_loss_func=mean_over_step, callbacks=[TellPass(dataset)]
    )


@pytest.mark.slow
def test_the_code_of_the_page_trains_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = write_text(tmp_path, rows=60)
    given: dict[str, Any] = {
        "tokens": text["packed_dir"], "masks": text["frozen_dir"], "checkpoint": text["base_dir"], "output": tmp_path / "out",
    }  # fmt: skip
    before = MaskedLanguageModel.load(text["base_dir"]).state_dict()
    for block in python_blocks(PAGE):
        exec(block, given)
    assert 1 < float(capsys.readouterr().out.splitlines()[-1]) < 32
    assert given["dataset"].epoch == 1
    for trained in (given["trainer"].model, given["model"]):
        changed = [
            not torch.equal(value, before[f"model.{name}"]) for name, value in trained.state_dict().items()
        ]
        assert sum(changed) > len(changed) / 2


def test_trainer_and_our_loop_have_the_same_masks_and_the_same_loss(tmp_path: Path) -> None:
    """With transformers' own loss, and with ours; the batch is one of Trainer's own."""
    model, numbers = tiny_model(initializer_range=0.2), [5, 0, 17, 23, 9, 2, 11, 8]
    trainer = trainer_of(model, tmp_path)
    batch = COLLATOR([trainer.train_dataset[number] for number in numbers])
    own = ours(numbers)
    assert torch.equal(batch["input_ids"], own.input_ids) and torch.equal(batch["labels"], own.labels)
    loss = OBJECTIVE.loss(model, own)["masked_lm"].total.item() / OBJECTIVE.weight(own)["masked_lm"]
    assert trainer.compute_loss(model.model, dict(batch)).item() == pytest.approx(loss, rel=1e-5)
    trainer.compute_loss_func = None
    assert trainer.compute_loss(model.model, dict(batch)).item() == pytest.approx(loss, rel=1e-5)


def check_passes(**workers: Any) -> None:
    """Every pass has its own masks, whoever makes its batches."""
    dataset = BlockDataset(BLOCKS)
    loader = DataLoader(dataset, batch_size=5, shuffle=True, collate_fn=COLLATOR, **workers)
    for epoch in (0, 1, 4):
        dataset.epoch = epoch
        assert rows_of([*loader]) == whole_pass(epoch)


def test_each_pass_has_its_own_masks() -> None:
    check_passes()
    assert whole_pass(0) != whole_pass(1)


@pytest.mark.slow
def test_each_pass_has_its_own_masks_also_from_workers() -> None:
    """In a process of its own, as a user's training is: workers are forks of what calls them."""
    code = (
        "from tests.tasks.training.masked_lm.test_for_trainer import check_passes\n"
        "check_passes(num_workers=2)\n"
        "check_passes(num_workers=2, persistent_workers=True)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


class Kept(MaskingCollator):
    """Keeps the batches that were asked for."""

    def __init__(self) -> None:
        super().__init__(MASKING, VOCABULARY_IDS, SEED)
        self.batches: list[Batch] = []

    def __call__(self, blocks: Sequence[Any]) -> Batch:
        self.batches.append(super().__call__(blocks))
        return self.batches[-1]


@pytest.mark.slow
def test_a_training_that_is_resumed_inside_a_pass_goes_on_with_its_masks(tmp_path: Path) -> None:
    """Three steps a pass; what was kept after four is gone on with."""
    whole, rest = Kept(), Kept()
    asked = {"num_train_epochs": 3, "save_steps": 4, "save_strategy": "steps", "logging_strategy": "no"}
    trainer_of(tiny_model(), tmp_path, whole, **asked).train()
    assert [rows_of(whole.batches[3 * epoch : 3 * epoch + 3]) == whole_pass(epoch) for epoch in range(3)] == [
        True
    ] * 3
    resumed = trainer_of(tiny_model(), tmp_path, rest, **asked)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert [rows_of([batch]) for batch in rest.batches] == [rows_of([batch]) for batch in whole.batches[4:]]


def gradient(trainer: Trainer, batches: Sequence[Batch]) -> torch.Tensor:
    """What Trainer's step of these micro-batches gives the optimizer, all parameters after each other."""
    trainer.model.zero_grad()
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = len(batches)
    tokens = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    for batch in batches:
        trainer.training_step(trainer.model, dict(batch), tokens)
    return torch.cat([value.grad.flatten() for value in trainer.model.parameters()])


def test_a_step_of_trainer_is_the_same_however_it_is_cut(tmp_path: Path) -> None:
    model = tiny_model(initializer_range=0.2)
    parts = [ours(part)._asdict() for part in (range(3), range(3, 8))]
    OBJECTIVE.loss(model, ours(range(8)))["masked_lm"].total.backward()
    whole = torch.cat([value.grad.flatten() for value in model.model.parameters()])
    whole /= OBJECTIVE.weight(ours(range(8)))["masked_lm"]
    trainer = trainer_of(model, tmp_path, gradient_accumulation_steps=2)
    assert (gradient(trainer, parts) - whole).norm() <= 1e-5 * whole.norm()
    trainer.compute_loss_func = None  # what the page says of transformers' own
    assert gradient(trainer, parts).norm() > 1.8 * whole.norm()
