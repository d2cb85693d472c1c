import socket

import pytest
import torch
from safetensors.torch import load_file

from infra.errors import ConfigError, DataError
from tasks.training.checkpoint import load_checkpoint
from tasks.training.loop import Lesson, Validated, fit
from tests.tasks.training.killing import dies, run_in_a_process, run_together
from tests.tasks.training.lesson import CONFIG, make_lesson, make_model, run, run_as_one_of, run_until, silent

STEPS_PER_EPOCH = 6


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    assert run_in_a_process(run_until, folder / "work", folder / "out", None) == 0
    return (folder / "out").read_bytes()


def scripted(*scores: float) -> Lesson:
    """A lesson whose validation says these scores: one before training, one after each epoch."""
    lesson, left = make_lesson(), iter(scores)

    def validate(model):
        score = next(left)
        return Validated(score, {"score": score})

    return Lesson(lesson.rows, lesson.pad_id, lesson.loss, validate)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [(2,), (5, 4), (10, 3, 1)], ids=["before a checkpoint", "twice", "three times"]
)
def test_killed_and_run_again_gives_the_bytes_of_an_unbroken_run(tmp_path, unbroken, kills):
    for step in kills:
        assert dies(run_until, tmp_path / "work", tmp_path / "out", step)
    assert run_in_a_process(run_until, tmp_path / "work", tmp_path / "out", None) == 0
    assert (tmp_path / "out").read_bytes() == unbroken


@pytest.mark.slow
def test_two_processes_share_the_batches_and_end_with_the_same_weights(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run_together([(run_as_one_of, (2, process, port, tmp_path)) for process in range(2)]) == [0, 0]
    first, second, untrained = load_file(tmp_path / "out-0"), load_file(tmp_path / "out-1"), make_model()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], untrained.head.weight)


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = run(tmp_path / "work", tmp_path / "a", make_lesson())

    def refuse(model, batch):
        raise RuntimeError("trained again")

    lesson = make_lesson()
    again = run(
        tmp_path / "work", tmp_path / "b", Lesson(lesson.rows, lesson.pad_id, refuse, lesson.validate)
    )
    assert again == first
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_damaged_checkpoint_is_said_and_the_one_before_gives_the_same_bytes(tmp_path):
    run(tmp_path / "work", tmp_path / "a", make_lesson())
    newest = max((tmp_path / "work").iterdir()) / "tensors.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        run(tmp_path / "work", tmp_path / "b", make_lesson())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_training_learns(tmp_path):
    metrics = []
    config = CONFIG.model_copy(update={"epochs": 8, "learning_rate": 1e-2})
    progress = fit(
        make_model(), make_lesson(), config, tmp_path, lambda values, step: metrics.append((step, values))
    )
    assert progress.step == 8 * STEPS_PER_EPOCH
    assert progress.best_metrics["accuracy"] > 0.9
    assert [step for step, values in metrics if "accuracy" in values] == [6 * epoch for epoch in range(9)]
    assert [step for step, values in metrics if "train_loss" in values][:4] == [6, 12, 18, 20]


def test_the_best_epoch_is_kept_and_not_the_last(tmp_path):
    best = make_model()
    fit(best, scripted(0.0, 0.5), CONFIG.model_copy(update={"epochs": 1}), tmp_path / "one", silent)
    kept = make_model()
    progress = fit(kept, scripted(0.0, 0.1, 0.9, 0.3), CONFIG, tmp_path / "three", silent)
    assert progress.best_epoch == 2
    assert progress.best_metrics == {"score": 0.9}
    assert not torch.equal(kept.head.weight, best.head.weight)
    newest = load_checkpoint(tmp_path / "three").tensors
    torch.testing.assert_close(newest["best/head.weight"], kept.head.weight.detach())
    assert not torch.equal(newest["model/head.weight"], newest["best/head.weight"])


def test_training_that_makes_it_worse_leaves_the_model_as_it_was(tmp_path):
    model, untouched = make_model(), make_model()
    progress = fit(model, scripted(0.9, 0.1, 0.2, 0.3), CONFIG, tmp_path, silent)
    assert progress.best_epoch == 0
    assert all(torch.equal(value, untouched.state_dict()[name]) for name, value in model.state_dict().items())


def test_training_stops_early_when_nothing_gets_better(tmp_path):
    config = CONFIG.model_copy(update={"epochs": 9, "patience": 2})
    progress = fit(make_model(), scripted(0.0, 0.5, 0.4, 0.5, 0.9), config, tmp_path, silent)
    assert (progress.epoch, progress.best_epoch) == (3, 1)


def test_frozen_parameters_stay_and_are_in_no_checkpoint(tmp_path):
    model = make_model()
    model.body.embeddings.requires_grad_(False)
    before = model.body.embeddings.word_embeddings.weight.clone()
    fit(model, make_lesson(), CONFIG.model_copy(update={"epochs": 1}), tmp_path, silent)
    torch.testing.assert_close(model.body.embeddings.word_embeddings.weight, before)
    assert not any("embeddings" in name for name in load_checkpoint(tmp_path).tensors)


def test_another_seed_gives_another_model(tmp_path):
    first, second = make_model(), make_model()
    fit(first, make_lesson(), CONFIG, tmp_path / "a", silent)
    fit(second, make_lesson(), CONFIG.model_copy(update={"seed": 1}), tmp_path / "b", silent)
    assert not torch.equal(first.head.weight, second.head.weight)


def test_the_callers_setting_of_deterministic_kernels_comes_back(tmp_path):
    before = torch.are_deterministic_algorithms_enabled()
    fit(make_model(), make_lesson(), CONFIG.model_copy(update={"epochs": 1}), tmp_path, silent)
    assert torch.are_deterministic_algorithms_enabled() == before


def test_a_loss_that_is_not_finite_stops_training_with_a_remedy(tmp_path):
    lesson = make_lesson()

    def diverging(model, batch):
        return lesson.loss(model, batch) * float("nan")

    with pytest.raises(ConfigError, match="lower learning rate"):
        fit(make_model(), Lesson(lesson.rows, 0, diverging, lesson.validate), CONFIG, tmp_path, silent)


def test_unset_epochs_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="epochs is not set"):
        fit(make_model(), make_lesson(), CONFIG.model_copy(update={"epochs": None}), tmp_path, silent)


def test_no_rows_are_refused(tmp_path):
    with pytest.raises(DataError, match="no rows"):
        fit(make_model(), make_lesson(0), CONFIG, tmp_path, silent)
