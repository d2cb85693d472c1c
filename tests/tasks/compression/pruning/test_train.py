"""Pruning in the real loop: zeros where the schedule says, none lost on the way, and the same bytes after a kill."""

import os
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from infra.errors import ConfigError
from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.sparsity import sparsity_of, weights_of
from tasks.compression.pruning.train import prune_in_training
from tasks.models.model import SentenceClassifier
from tasks.training.loop.checkpoint import load_checkpoint
from tasks.training.loop.loop import Evaluated
from tests.tasks.training.killing import dies, run_in_a_process
from tests.tasks.training.lesson import killed_at, make_lesson, make_model, silent

pytestmark = pytest.mark.slow

CONFIG = PruningConfig(
    epochs=4,
    batch_size=8,
    learning_rate=3e-3,
    checkpoint_every=3,
    checkpoint_share=1,
    mixed_precision="no",
    every=2,
    sparsity=0.8,
)  # 24 steps, of which the ramp takes 2 to 17


def prune(folder: Path, config: PruningConfig = CONFIG, lesson=None, log=silent):
    model = make_model()
    objective, evaluation = lesson or make_lesson()
    progress = prune_in_training(model, objective, config, evaluation, folder, log)
    return model, progress


def run_until(folder: Path, step: int | None, method: str) -> None:
    """Prune in this process, write the weights; when `step` is given, die at that batch."""
    torch.set_num_threads(1)
    lesson = make_lesson() if step is None else killed_at(make_lesson(), step)
    config = CONFIG.model_copy(update={"method": method})
    model, _ = prune(folder / "work", config, lesson)
    save_file({name: value.detach() for name, value in model.named_parameters()}, folder / "out")


@pytest.mark.parametrize("method", ["magnitude", "movement"])
def test_a_pruned_model_has_exactly_the_zeros_asked_for_and_is_ordinary(tmp_path, method):
    model, progress = prune(tmp_path, CONFIG.model_copy(update={"method": method}))
    assert sparsity_of(model.body) == pytest.approx(0.8, abs=1e-4)
    assert progress.best_metrics["sparsity"] == pytest.approx(0.8, abs=1e-4)
    assert sorted(model.state_dict()) == sorted(make_model().state_dict())
    assert isinstance(model, SentenceClassifier)


def test_soft_movement_becomes_sparse_by_its_penalty(tmp_path):
    strict = {"method": "soft_movement", "penalty": 100.0, "score_rate_factor": 300.0, "threshold": 0.5}
    model, _ = prune(tmp_path, CONFIG.model_copy(update=strict))
    assert 0.1 < sparsity_of(model.body) < 1


def test_blocks_stay_whole_through_training(tmp_path):
    model, _ = prune(tmp_path, CONFIG.model_copy(update={"block_rows": 8, "block_columns": 4}))
    for weight in weights_of(model.body).values():
        inside = (weight == 0).reshape(weight.shape[0] // 8, 8, -1, 4).mean(axis=(1, 3))
        assert set(inside.flatten().tolist()) <= {0.0, 1.0}


def test_the_model_still_learns(tmp_path):
    config = CONFIG.model_copy(update={"epochs": 10, "sparsity": 0.5})
    _, progress = prune(tmp_path, config)
    assert progress.best_metrics["accuracy"] > 0.9
    assert progress.best_metrics["sparsity"] == pytest.approx(0.5, abs=1e-4)


def test_the_best_epoch_is_one_at_the_final_sparsity_and_nothing_stops_early(tmp_path):
    scores = iter([0.9, 0.9, 0.8, 0.7, 0.3])  # the dense model is best, of course
    lesson = make_lesson()

    def validate(model):
        return Evaluated(next(scores), {})

    patient = CONFIG.model_copy(update={"patience": 1, "cool_down": 0.45})  # the ramp ends in the third epoch
    model, progress = prune(tmp_path, patient, lesson._replace(evaluation=validate))
    assert (progress.step, progress.best_epoch) == (24, 3)
    assert sparsity_of(model.body) == pytest.approx(0.8, abs=1e-4)


def test_sparsity_is_reported_as_it_rises(tmp_path):
    found = []
    prune(tmp_path, log=lambda values, step: found.append((step, values.get("sparsity"))))
    rising = [sparsity for _, sparsity in found if sparsity is not None]
    assert rising[0] == 0.0
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("method", ["magnitude", pytest.param("movement", marks=pytest.mark.whole_runs)])
def test_killed_and_run_again_gives_the_bytes_of_an_unbroken_run(tmp_path, method):
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    assert run_in_a_process(run_until, tmp_path / "whole", None, method) == 0
    for step in (8, 5):  # between two changes of the masks, and right after an epoch
        assert dies(run_until, tmp_path / "broken", step, method)
    assert run_in_a_process(run_until, tmp_path / "broken", None, method) == 0
    assert (tmp_path / "broken" / "out").read_bytes() == (tmp_path / "whole" / "out").read_bytes()


def die_in_validation(folder: Path, epoch: int) -> None:
    """Prune until the weights of `epoch` are validated; the newest checkpoint has its last step, not its score."""
    torch.set_num_threads(1)
    lesson, seen = make_lesson(), iter(range(10))

    def validate(model):
        if next(seen) == epoch:
            os.kill(os.getpid(), signal.SIGKILL)
        return lesson.evaluation(model)

    prune(folder / "work", lesson=lesson._replace(evaluation=validate))


def test_a_run_killed_in_its_last_validation_knows_that_the_schedule_is_over(tmp_path):
    assert run_in_a_process(run_until, tmp_path, None, "magnitude") == 0
    whole = (tmp_path / "out").read_bytes()
    (tmp_path / "again").mkdir()
    assert dies(die_in_validation, tmp_path / "again", 4)
    assert run_in_a_process(run_until, tmp_path / "again", None, "magnitude") == 0
    assert (tmp_path / "again" / "out").read_bytes() == whole


def test_scores_learn_at_their_own_rate_and_are_in_the_checkpoint_with_the_masks(tmp_path):
    config = CONFIG.model_copy(update={"method": "movement", "score_rate_factor": 50.0})
    prune(tmp_path, config)
    saved = load_checkpoint(tmp_path).tensors
    scores = [
        value for name, value in saved.items() if name.startswith("model/") and name.endswith(".scores")
    ]
    kept = [value for name, value in saved.items() if name.startswith("model/") and name.endswith(".kept")]
    assert len(scores) == len(kept) == 6
    assert all(value.dtype == torch.bool for value in kept)
    assert max(value.abs().max() for value in scores) > 20 * CONFIG.learning_rate
    assert saved["model/pruning.step"].item() == 23


def test_unset_epochs_and_blocks_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="epochs is not set"):
        prune(tmp_path, CONFIG.model_copy(update={"epochs": None}))
    with pytest.raises(ConfigError, match="expected divisors"):
        prune(tmp_path, CONFIG.model_copy(update={"block_columns": 24}))
