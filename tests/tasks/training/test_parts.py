"""The loop's parts, each a function of its own."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import StoreError
from tasks.formats.dataset import DatasetInfo, Split
from tasks.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from tasks.training.config import LoopConfig
from tasks.training.determinism import seed_step
from tasks.training.optimiser import build_optimiser, optimiser_tensors, restore_optimiser, set_rate
from tasks.training.order import length_grouped, share_of
from tasks.training.precision import autocast
from tasks.training.schedule import warmup_then_decay
from tasks.training.validation import judge
from tests.tasks.training.lesson import make_model

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 64), st.integers(0, 1000), st.integers(0, 10))
def test_every_row_is_in_one_batch_and_only_one_batch_is_short(lengths, batch_size, seed, epoch):
    batches = length_grouped(lengths, batch_size, seed, epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    assert batches == length_grouped(lengths, batch_size, seed, epoch)


def test_length_grouping_saves_most_of_the_padding_and_orders_differ_between_epochs():
    lengths = np.random.default_rng(0).integers(4, 40, size=2000).tolist()
    batches = length_grouped(lengths, 32, 0, 0)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert batches != length_grouped(lengths, 32, 0, 1)


@given(st.lists(st.integers(), min_size=1, max_size=40, unique=True), st.integers(1, 8))
def test_processes_share_a_batch_without_gaps_and_none_is_idle(batch, processes):
    shares = [share_of(batch, process, processes) for process in range(processes)]
    assert set().union(*shares) == set(batch)
    assert all(shares)


@given(st.integers(1, 2000), st.floats(0, 0.99))
def test_the_rate_rises_then_falls_and_is_never_zero(total, share):
    rates = [warmup_then_decay(step, total, share) for step in range(total)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(1.0)
    assert all(np.diff(rates[: top + 1]) > 0)
    assert all(np.diff(rates[top:]) <= 0)
    assert min(rates) > 0


def test_dropout_of_a_step_depends_on_seed_step_and_process_alone():
    def draw(*of):
        seed_step(*of)
        return torch.rand(4)

    assert torch.equal(draw(3, 7), draw(3, 7))
    others = [draw(3, 8), draw(4, 7), draw(3, 7, 1)]
    assert not any(torch.equal(draw(3, 7), other) for other in others)


def test_biases_norms_and_head_do_not_decay_and_the_head_has_its_own_rate():
    model = make_model()
    optimiser = build_optimiser(
        model, LoopConfig(learning_rate=1e-3, head_rate_factor=20.0, weight_decay=0.1)
    )
    of = {id(value): group for group in optimiser.param_groups for value in group["params"]}
    for name, value in model.named_parameters():
        group = of[id(value)]
        assert group["peak"] == pytest.approx(2e-2 if name.startswith("head.") else 1e-3)
        assert group["weight_decay"] == (0.1 if value.ndim > 1 and not name.startswith("head.") else 0.0)
    set_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([5e-4, 5e-4, 1e-2])


def test_a_restored_optimiser_takes_the_same_next_step():
    first, second = make_model(), make_model()
    optimisers = [build_optimiser(model, LoopConfig()) for model in (first, second)]
    first.head.weight.grad = torch.ones_like(first.head.weight)
    optimisers[0].step()
    second.load_state_dict(first.state_dict())
    taken = {name: value.clone() for name, value in optimiser_tensors(optimisers[0]).items()}
    restore_optimiser(optimisers[1], taken)
    for model, optimiser in zip((first, second), optimisers, strict=True):
        model.head.weight.grad = torch.full_like(model.head.weight, 0.5)
        optimiser.step()
    assert torch.equal(first.head.weight, second.head.weight)


def test_two_newest_checkpoints_are_kept_and_a_partial_one_is_none(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, Progress(step=step), {"x": torch.tensor([step])})
    (tmp_path / "step-00000009.partial").mkdir()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["step-00000002", "step-00000003", "step-00000009.partial"]
    found = load_checkpoint(tmp_path)
    assert found.progress.step == 3
    assert found.tensors["x"].item() == 3


@pytest.mark.parametrize("spoil", ["{", "{}", json.dumps({"progress": {"epoch": "x"}, "sha256": ""})])
def test_damaged_checkpoints_are_said_and_training_starts_again(tmp_path, spoil):
    save_checkpoint(tmp_path, Progress(step=1), {"x": torch.zeros(1)})
    (tmp_path / "step-00000001" / "state.json").write_text(spoil)
    with pytest.warns(UserWarning, match="damaged"):
        assert load_checkpoint(tmp_path) is None


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "never") is None


def test_a_disk_that_takes_no_checkpoint_is_a_store_error(tmp_path):
    (tmp_path / "work").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="Free some space"):
        save_checkpoint(tmp_path / "work", Progress(), {})


def test_precision_is_float32_unless_bfloat16_is_asked_for():
    with autocast("no", torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with autocast("bf16", torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def info(out_of_scope=None):
    return DatasetInfo(labels=("a", "b", "oos"), out_of_scope=out_of_scope, rows={}, words_p50=1, words_p99=1)


def test_validation_without_out_of_scope_is_accuracy():
    split = Split(["x", "y"], np.array([0, 1]))
    judged = judge(np.array([[2.0, 0, 0], [2.0, 0, 0]]), split, info())
    assert judged.score == judged.metrics["validation_accuracy"] == 0.5


def test_validation_with_out_of_scope_joins_accuracy_and_auroc():
    logits = np.array([[9.0, 0, 0], [0, 9.0, 0], [9.0, 0, 0], [1.0, 1, 0], [0, 1.0, 0]], dtype=np.float32)
    split = Split(["t"] * 5, np.array([0, 1, 1, 2, 2]))
    judged = judge(logits, split, info("oos"))
    assert judged.metrics["validation_in_scope_accuracy"] == pytest.approx(2 / 3)
    assert judged.metrics["validation_out_of_scope_auroc"] == 1.0
    assert judged.score == pytest.approx(3 / 5 * 2 / 3 + 2 / 5)


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"warmup_share": 1}, {"epochs": 0}, {"unknown": 1}])
def test_values_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoopConfig(**wrong)
