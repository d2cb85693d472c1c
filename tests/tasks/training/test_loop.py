import time

import pytest
import torch
from safetensors.torch import load_file

from infra.errors import ConfigError, DataError
from tasks.models.dropout import with_dropout
from tasks.models.embedding_bag import BagOfTokensConfig
from tasks.models.model import SentenceClassifier
from tasks.training.loop.checkpoint import load_best, load_checkpoint
from tasks.training.loop.loop import Evaluated
from tests.tasks.training.killing import dies, run_in_a_process, run_together
from tests.tasks.training.lesson import (
    CONFIG,
    Lesson,
    Watched,
    make_lesson,
    make_model,
    run,
    run_as_one_of,
    run_until,
)
from tests.tasks.training.several import free_port

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
        return Evaluated(score, {"score": score})

    return lesson._replace(evaluation=validate)


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
    port = free_port()
    assert run_together([(run_as_one_of, (2, process, port, tmp_path)) for process in range(2)]) == [0, 0]
    first, second, untrained = load_file(tmp_path / "out-0"), load_file(tmp_path / "out-1"), make_model()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.weight"], untrained.head.weight)


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = run(tmp_path / "work", tmp_path / "a", make_lesson())

    def refuse(total, asked):
        raise RuntimeError("trained again")

    lesson = make_lesson()
    again = run(
        tmp_path / "work", tmp_path / "b", lesson._replace(objective=Watched(lesson.objective, refuse))
    )
    assert again == first
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_damaged_checkpoint_is_said_and_the_one_before_gives_the_same_bytes(tmp_path):
    run(tmp_path / "work", tmp_path / "a", make_lesson())
    newest = max((tmp_path / "work").glob("step-*")) / "tensors.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged"):
        run(tmp_path / "work", tmp_path / "b", make_lesson())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_training_learns(tmp_path):
    metrics = []
    config = CONFIG.model_copy(update={"epochs": 8, "learning_rate": 1e-2})
    progress = make_lesson().fit(
        make_model(), config, tmp_path, lambda values, step: metrics.append((step, values))
    )
    assert progress.step == 8 * STEPS_PER_EPOCH
    assert progress.best_metrics["accuracy"] > 0.9
    assert [step for step, values in metrics if "accuracy" in values] == [6 * epoch for epoch in range(9)]
    assert [step for step, values in metrics if "train_loss" in values][:4] == [6, 12, 18, 20]


def test_the_best_epoch_is_kept_and_not_the_last(tmp_path):
    best = make_model()
    scripted(0.0, 0.5).fit(best, CONFIG.model_copy(update={"epochs": 1}), tmp_path / "one")
    kept = make_model()
    progress = scripted(0.0, 0.1, 0.9, 0.3).fit(kept, CONFIG, tmp_path / "three")
    assert progress.best_epoch == 2
    assert progress.best_metrics == {"score": 0.9}
    assert not torch.equal(kept.head.weight, best.head.weight)
    assert torch.equal(load_best(tmp_path / "three", progress)["head.weight"], kept.head.weight.detach())
    assert not torch.equal(load_checkpoint(tmp_path / "three").tensors["model/head.weight"], kept.head.weight)
    assert [path.name for path in (tmp_path / "three").glob("best-*")] == ["best-00000012"]


def test_training_that_makes_it_worse_leaves_the_model_as_it_was(tmp_path):
    model, untouched = make_model(), make_model()
    progress = scripted(0.9, 0.1, 0.2, 0.3).fit(model, CONFIG, tmp_path)
    assert progress.best_epoch == 0
    assert all(torch.equal(value, untouched.state_dict()[name]) for name, value in model.state_dict().items())


def test_training_stops_early_when_nothing_gets_better(tmp_path):
    config = CONFIG.model_copy(update={"epochs": 9, "patience": 2})
    progress = scripted(0.0, 0.5, 0.4, 0.5, 0.9).fit(make_model(), config, tmp_path)
    assert (progress.step, progress.best_epoch) == (3 * STEPS_PER_EPOCH, 1)


def test_frozen_parameters_stay_and_are_in_no_checkpoint(tmp_path):
    model = make_model()
    model.body.embeddings.requires_grad_(False)
    before = model.body.embeddings.word_embeddings.weight.clone()
    make_lesson().fit(model, CONFIG.model_copy(update={"epochs": 1}), tmp_path)
    torch.testing.assert_close(model.body.embeddings.word_embeddings.weight, before)
    assert not any("embeddings" in name for name in load_checkpoint(tmp_path).tensors)


def test_another_seed_gives_another_model(tmp_path):
    first, second = make_model(), make_model()
    make_lesson().fit(first, CONFIG, tmp_path / "a")
    make_lesson().fit(second, CONFIG.model_copy(update={"seed": 1}), tmp_path / "b")
    assert not torch.equal(first.head.weight, second.head.weight)


def test_adamws_beta2_is_the_one_that_is_asked_for(tmp_path):
    usual, asked, quick = make_model(), make_model(), make_model()
    make_lesson().fit(usual, CONFIG, tmp_path / "usual")
    make_lesson().fit(asked, CONFIG.model_copy(update={"adam_beta2": 0.999}), tmp_path / "asked")
    make_lesson().fit(quick, CONFIG.model_copy(update={"adam_beta2": 0.9}), tmp_path / "quick")
    assert torch.equal(usual.head.weight, asked.head.weight)
    assert not torch.equal(usual.head.weight, quick.head.weight)


def test_the_callers_setting_of_deterministic_kernels_comes_back(tmp_path):
    before = torch.are_deterministic_algorithms_enabled()
    make_lesson().fit(make_model(), CONFIG.model_copy(update={"epochs": 1}), tmp_path)
    assert torch.are_deterministic_algorithms_enabled() == before


def test_a_loss_that_is_not_finite_stops_training_with_a_remedy(tmp_path):
    lesson = make_lesson()
    diverging = Watched(lesson.objective, lambda total, asked: total * float("nan"))
    with pytest.raises(ConfigError, match="lower learning rate"):
        lesson._replace(objective=diverging).fit(make_model(), CONFIG, tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"epochs": None}, "epochs is not set"), ({"steps": 5, "tokens": 5}, "expected one of the two")],
)
def test_no_budget_or_two_are_refused(tmp_path, given, said):
    with pytest.raises(ConfigError, match=said):
        make_lesson().fit(make_model(), CONFIG.model_copy(update=given), tmp_path)


def test_micro_batches_give_the_gradients_of_the_whole_batch(tmp_path):
    """In float32, with rows of unequal length: the weights after one epoch agree."""
    config, models = CONFIG.model_copy(update={"epochs": 1}), []
    for size in (None, 3, 1):
        torch.manual_seed(0)
        models.append(with_dropout(make_model(), 0.0))
        make_lesson().fit(
            models[-1], config.model_copy(update={"micro_batch_size": size}), tmp_path / str(size)
        )
    for name, value in models[0].named_parameters():
        for other in models[1:]:
            torch.testing.assert_close(other.get_parameter(name), value, rtol=1e-4, atol=1e-5)


def test_activations_that_are_computed_again_change_no_weight(tmp_path):
    config, models = CONFIG.model_copy(update={"epochs": 1}), []
    for again in (False, True):
        models.append(make_model())
        changed = config.model_copy(update={"gradient_checkpointing": again})
        make_lesson().fit(models[-1], changed, tmp_path / str(again))
    # Dropout too: it is drawn again as it was.
    for name, value in models[0].named_parameters():
        torch.testing.assert_close(models[1].get_parameter(name), value)


def test_a_model_that_cannot_compute_its_activations_again_says_so(tmp_path):
    model = SentenceClassifier.from_config(BagOfTokensConfig(vocab_size=40, hidden_size=8, pairs=4), 3)
    config = CONFIG.model_copy(update={"gradient_checkpointing": True})
    with pytest.raises(ConfigError, match="gradient_checkpointing was asked for"):
        make_lesson().fit(model, config, tmp_path)


@pytest.mark.parametrize("schedule", ["cosine", "warmup_stable_decay"])
def test_muon_learns_under_any_schedule(tmp_path, schedule):
    changed = {"epochs": 8, "learning_rate": 1e-2, "optimizer": "muon", "schedule": schedule}
    progress = make_lesson().fit(make_model(), CONFIG.model_copy(update=changed), tmp_path)
    assert progress.best_metrics["accuracy"] > 0.9


def test_rows_a_second_are_those_of_training_alone(tmp_path):
    lesson, told, pause = make_lesson(), [], 0.2

    def slow(model):
        time.sleep(pause)
        return lesson.evaluation(model)

    began = time.monotonic()
    lesson._replace(evaluation=slow).fit(
        make_model(), CONFIG, tmp_path, lambda values, step: told.append(values)
    )
    taken = time.monotonic() - began
    rates = [values["rows_per_second"] for values in told if "rows_per_second" in values]
    assert len(rates) == 3  # an epoch each, of 42 rows
    # However fast the machine is: the four evaluations are in none of the three windows.
    assert sum(42 / rate for rate in rates) + 4 * pause <= taken


def test_batches_that_must_not_be_cut_are_refused(tmp_path):
    lesson = make_lesson()
    lesson.objective.splittable = False
    with pytest.raises(ConfigError, match="compares the rows of a batch"):
        lesson.fit(make_model(), CONFIG.model_copy(update={"micro_batch_size": 2}), tmp_path)


@pytest.mark.parametrize(("given", "steps"), [({"steps": 7}, 7), ({"tokens": 100}, 3)])
def test_a_budget_ends_after_its_steps_and_evaluates_there(tmp_path, given, steps):
    config = CONFIG.model_copy(update={"epochs": None, "evaluate_every": 2, **given})
    told = []
    progress = make_lesson().fit(
        make_model(), config, tmp_path, lambda values, step: told.append((step, values))
    )
    assert progress.step == steps
    assert [step for step, values in told if "accuracy" in values] == [*range(0, steps, 2), steps]


def test_no_rows_are_refused(tmp_path):
    with pytest.raises(DataError, match="no rows"):
        make_lesson(0).fit(make_model(), CONFIG, tmp_path)
