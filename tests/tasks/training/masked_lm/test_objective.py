"""What masked language modelling costs, what moves by what, and that it learns."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from infra.errors import ConfigError
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.config import LoopConfig
from tasks.training.loop.loop import Evaluated, fit
from tasks.training.loop.objective import Draw, Term
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.config import FrozenConfig, MaskingConfig
from tasks.training.masked_lm.frozen import freeze, on_frozen_masks
from tasks.training.masked_lm.masking import IGNORED
from tasks.training.masked_lm.objective import MaskedLmBatch, MaskedLmObjective
from tests.tasks.models.tiny_encoder import VOCABULARY
from tests.tasks.training.masked_lm.toy import (
    FIRST,
    VOCABULARY_IDS,
    objective_of,
    random_blocks,
    tiny_model,
    topical_blocks,
)

BLOCKS = random_blocks()


def mean_loss(objective: MaskedLmObjective, model: MaskedLanguageModel, batch: MaskedLmBatch) -> torch.Tensor:
    (term,) = objective.loss(model, batch).values()
    return term.total / objective.weight(batch)["masked_lm"]


def gradients(model: MaskedLanguageModel) -> dict[str, torch.Tensor]:
    found = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    return found


def test_the_loss_is_that_of_transformers_on_one_batch() -> None:
    model, objective = tiny_model(), objective_of(BLOCKS, rate=0.3)
    batch = objective.batch(np.arange(len(BLOCKS)), Draw(0, 0))
    theirs = model.model(batch.input_ids, labels=batch.labels).loss
    assert mean_loss(objective, model, batch).item() == pytest.approx(theirs.item(), rel=1e-6)


def test_two_micro_batches_give_the_gradient_of_the_whole_batch() -> None:
    model, objective, draw = tiny_model(), objective_of(BLOCKS, rate=0.3), Draw(3, 1)
    rows = np.arange(16)
    mean_loss(objective, model, objective.batch(rows, draw)).backward()
    whole = gradients(model)
    parts = [objective.batch(part, draw) for part in (rows[:5], rows[5:])]
    tokens = sum(objective.weight(part)["masked_lm"] for part in parts)
    for part in parts:
        (objective.loss(model, part)["masked_lm"].total / tokens).backward()
    cut = gradients(model)
    assert whole.keys() == cut.keys() == dict(model.named_parameters()).keys()
    largest = max(value.norm() for value in whole.values())
    for name, value in whole.items():
        # A key's bias changes nothing: its gradient is rounding.
        assert (cut[name] - value).norm() <= 1e-5 * max(value.norm(), 1e-2 * largest), name


def test_a_batch_without_masks_costs_nothing_and_moves_nothing() -> None:
    model, objective = tiny_model(), objective_of(BLOCKS)
    batch = objective.batch(np.arange(2), Draw(0, 0))
    empty = batch._replace(labels=torch.full_like(batch.labels, IGNORED))
    assert objective.weight(empty) == {"masked_lm": 0}
    total = objective.loss(model, empty)["masked_lm"].total
    total.backward()
    assert total.item() == 0.0
    assert all(value.abs().max() == 0 for value in gradients(model).values())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_every_parameter_learns_once_and_only_layers_matrices_by_muon(optimizer: str) -> None:
    model = tiny_model()
    objective = MaskedLmObjective(BLOCKS, MaskingConfig(), VOCABULARY_IDS, optimizer)
    groups = objective.groups(model)
    of = {id(value): group for group in groups for value in group.parameters}
    assert sum(len(group.parameters) for group in groups) == len(of) == len([*model.parameters()])
    for name, value in model.named_parameters():
        own = of[id(value)]
        assert own.decay == (value.ndim > 1), name
        by_muon = optimizer == "muon" and "encoder.layer" in name and value.ndim == 2
        assert (own.optimizer == "muon") == by_muon, name


def test_frozen_parameters_are_in_no_group() -> None:
    model = tiny_model()
    model.body.embeddings.requires_grad_(False)
    grouped = sum(len(group.parameters) for group in objective_of(BLOCKS).groups(model))
    assert grouped == sum(value.requires_grad for value in model.parameters()) < len([*model.parameters()])


def test_saved_memory_gives_the_same_gradient() -> None:
    model, objective = tiny_model().train(), objective_of(BLOCKS)
    batch = objective.batch(np.arange(8), Draw(0, 0))
    mean_loss(objective, model, batch).backward()
    plain = gradients(model)
    objective.save_memory(model)
    mean_loss(objective, model, batch).backward()
    saved = gradients(model)
    assert model.model.is_activation_checkpointing
    assert all(torch.allclose(saved[name], value, rtol=1e-5, atol=1e-7) for name, value in plain.items())


def test_a_model_that_cannot_save_memory_says_so() -> None:
    model = tiny_model()
    model.model.supports_gradient_checkpointing = False
    with pytest.raises(ConfigError, match="gradient_checkpointing"):
        objective_of(BLOCKS).save_memory(model)


@pytest.mark.slow
def test_a_pattern_is_learned_to_far_below_the_unigram_perplexity(tmp_path: Path) -> None:
    blocks, model = topical_blocks(), tiny_model(num_hidden_layers=1, initializer_range=0.1)
    frozen = freeze(topical_blocks(60).ids.tolist(), 16, 0, VOCABULARY_IDS, FrozenConfig())
    config = LoopConfig(
        epochs=6, batch_size=16, learning_rate=1e-2, adam_beta2=0.98, mixed_precision="no", seed=1
    )
    told: list[Mapping[str, float]] = []
    progress = fit(
        model,
        objective_of(blocks, kind="whole_word", rate=0.3),
        Shuffled(len(blocks), config.batch_size, config.seed),
        config,
        on_frozen_masks(frozen, FrozenConfig(), "no"),
        tmp_path,
        lambda metrics, step: told.append(metrics),
    )
    unigram = len(VOCABULARY) - FIRST  # all tokens are equally frequent
    perplexities = [
        metrics["validation_perplexity"] for metrics in told if "validation_perplexity" in metrics
    ]
    assert perplexities[0] > unigram / 2
    assert progress.best_metrics["validation_perplexity"] == min(perplexities) < unigram / 3
    assert any("train_masked_lm" in metrics for metrics in told)


class BrokenOff(Exception):
    """What ends a training in the middle."""


class BreakingOff(MaskedLmObjective):
    """Breaks off at the batch that many batches come before."""

    left = 14

    def loss(self, model: MaskedLanguageModel, batch: MaskedLmBatch) -> Mapping[str, Term]:
        self.left -= 1
        if self.left < 0:
            raise BrokenOff
        return super().loss(model, batch)


def test_a_training_that_broke_off_ends_with_the_weights_of_one_that_did_not(tmp_path: Path) -> None:
    """With dropout, in the middle of the second pass."""
    config = LoopConfig(epochs=2, batch_size=4, checkpoint_every=6, mixed_precision="no", seed=5)
    masking, scores = (
        MaskingConfig(kind="whole_word"),
        count(),
    )  # each evaluation is better than the one before

    def evaluate(model: MaskedLanguageModel) -> Evaluated:
        return Evaluated(float(next(scores)), {})

    def train(objective: MaskedLmObjective, folder: Path) -> MaskedLanguageModel:
        model = tiny_model(hidden_dropout_prob=0.1)
        fit(model, objective, Shuffled(len(BLOCKS), 4, 5), config, evaluate, folder, lambda *_: None)
        return model

    whole = train(MaskedLmObjective(BLOCKS, masking, VOCABULARY_IDS), tmp_path / "whole")
    with pytest.raises(BrokenOff):
        train(BreakingOff(BLOCKS, masking, VOCABULARY_IDS), tmp_path / "broken")
    resumed = train(MaskedLmObjective(BLOCKS, masking, VOCABULARY_IDS), tmp_path / "broken")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in resumed.state_dict().items())
