"""The loop's parts, each a function of its own."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import DataError, StoreError
from tasks.formats.dataset import DatasetInfo, Split
from tasks.formats.token_shards import TokenShards, scratch_shards
from tasks.training.config import LoopConfig
from tasks.training.loop.checkpoint import CheckpointWriter, Progress, load_checkpoint
from tasks.training.loop.determinism import seed_step
from tasks.training.loop.objective import Draw
from tasks.training.loop.optimizer import build_optimizers, optimizer_tensors, restore_optimizers, set_rate
from tasks.training.loop.sampler import LengthGrouped, Shuffled, share_of
from tasks.training.loop.schedule import rate_factor
from tasks.training.precision import autocast
from tasks.training.text_objective import LabelledRows, TextRows
from tasks.training.validation import judge
from tests.tasks.training.lesson import make_model

KINDS = ("linear", "cosine", "warmup_stable_decay")


def epoch_of(lengths, batch_size, seed, epoch):
    """Row numbers of every batch of a pass."""
    sampler = LengthGrouped(lengths, batch_size, seed)
    first = epoch * sampler.steps_per_epoch
    return [sampler.rows(step).tolist() for step in range(first, first + sampler.steps_per_epoch)]


def optimizers_of(model, optimizer="adamw", factor=1.0, rate=1e-4, decay=0.01):
    objective = LabelledRows(TextRows(TokenShards.of([]), 0, factor, optimizer), np.empty(0, np.int64))
    return build_optimizers(objective.groups(model), rate, decay)


LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 64), st.integers(0, 1000), st.integers(0, 10))
def test_every_row_is_in_one_batch_and_only_one_batch_is_short(lengths, batch_size, seed, epoch):
    batches = epoch_of(lengths, batch_size, seed, epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert sum(len(batch) < batch_size for batch in batches) <= 1
    assert batches == epoch_of(lengths, batch_size, seed, epoch)


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 1000), st.integers(0, 10))
def test_shuffled_rows_come_once_a_pass_and_the_last_batch_alone_is_short(rows, batch_size, seed, epoch):
    sampler = Shuffled(rows, batch_size, seed)
    steps = range(epoch * sampler.steps_per_epoch, (epoch + 1) * sampler.steps_per_epoch)
    batches = [sampler.rows(step).tolist() for step in steps]
    assert sorted(row for batch in batches for row in batch) == list(range(rows))
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    # Asked in any order, as a resumed run does.
    assert [Shuffled(rows, batch_size, seed).rows(step).tolist() for step in reversed(steps)] == batches[::-1]


def test_shuffled_rows_have_another_order_in_each_pass_and_by_each_seed():
    orders = {tuple(Shuffled(100, 100, seed).rows(epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_nothing_to_shuffle_is_refused():
    with pytest.raises(DataError, match="no rows"):
        Shuffled(0, 8, 0)


def test_length_grouping_saves_most_of_the_padding_and_orders_differ_between_epochs():
    lengths = np.random.default_rng(0).integers(4, 40, size=2000).tolist()
    batches = epoch_of(lengths, 32, 0, 0)
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert batches != epoch_of(lengths, 32, 0, 1)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40, unique=True), st.integers(1, 8))
def test_processes_share_a_batch_without_gaps_or_doubles(batch, processes):
    shares = [share_of(np.array(batch), process, processes).tolist() for process in range(processes)]
    assert sorted(row for share in shares for row in share) == sorted(batch)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(st.integers(1, 2000), st.floats(0, 0.99), st.sampled_from(KINDS))
def test_the_rate_rises_then_falls_and_is_never_zero(total, share, kind):
    rates = [rate_factor(step, total, share, kind) for step in range(total)]
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
    (optimizer,) = optimizers_of(model, factor=20.0, rate=1e-3, decay=0.1)
    of = {id(value): group for group in optimizer.param_groups for value in group["params"]}
    for name, value in model.named_parameters():
        group = of[id(value)]
        assert group["peak"] == pytest.approx(2e-2 if name.startswith("head.") else 1e-3)
        assert group["weight_decay"] == (0.1 if value.ndim > 1 and not name.startswith("head.") else 0.0)
    set_rate([optimizer], 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([5e-4, 5e-4, 1e-2])


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_restored_optimizers_take_the_same_next_step(kind):
    first, second = make_model(), make_model()
    optimizers = [optimizers_of(model, kind) for model in (first, second)]

    def step(model, own, gradient):
        for value in model.parameters():
            value.grad = torch.full_like(value, gradient)
        for optimizer in own:
            optimizer.step()

    step(first, optimizers[0], 1.0)
    second.load_state_dict(first.state_dict())
    restore_optimizers(
        optimizers[1], {name: value.clone() for name, value in optimizer_tensors(optimizers[0]).items()}
    )
    for model, own in zip((first, second), optimizers, strict=True):
        step(model, own, 0.5)
    assert all(torch.equal(value, second.get_parameter(name)) for name, value in first.named_parameters())


def test_muon_moves_the_layers_matrices_alone():
    model = make_model()
    adamw, muon = optimizers_of(model, "muon")
    moved = {id(value) for group in muon.param_groups for value in group["params"]}
    for name, value in model.named_parameters():
        assert (id(value) in moved) == ("encoder.layer" in name and value.ndim == 2)
    assert sum(len(group["params"]) for group in adamw.param_groups) + len(moved) == len(
        [*model.parameters()]
    )


def test_adamw_forgets_as_fast_as_it_is_told():
    groups = LabelledRows(TextRows(TokenShards.of([]), 0), np.empty(0, np.int64)).groups(make_model())
    assert build_optimizers(groups, 1e-4, 0.0)[0].defaults["betas"] == (0.9, 0.999)
    assert build_optimizers(groups, 1e-4, 0.0, 0.98)[0].defaults["betas"] == (0.9, 0.98)


def test_random_numbers_of_a_row_are_its_own_in_each_pass():
    numbers = {
        number
        for draw in (Draw(0, 0), Draw(0, 1), Draw(1, 0))
        for row in range(50)
        for number in draw.random(row).integers(2**62, size=300).tolist()
    }
    assert len(numbers) == 150 * 300
    assert Draw(0, 1).random(7).random() == Draw(0, 1).random(7).random()


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=5), max_size=30), st.integers(1, 7))
def test_rows_come_back_from_the_disk_as_they_went(tmp_path_factory, rows, at_once):
    parts = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    for found in (scratch_shards(parts, tmp_path_factory.mktemp("rows")), TokenShards.of(rows)):
        assert [list(found[row]) for row in range(len(found))] == rows
        assert found.lengths.tolist() == [len(row) for row in rows]
        with pytest.raises(IndexError):
            found[len(rows)]


def written(folder, *steps, best=0):
    with CheckpointWriter(folder) as writer:
        for step in steps:
            progress = Progress(step=step, best_step=step if step <= best else best)
            if step <= best or step == steps[0]:
                writer.save_best(progress, {"x": torch.tensor([step])})
            writer.save(progress, {"x": torch.tensor([step])})


def test_two_newest_checkpoints_are_kept_with_their_best_and_a_partial_one_is_none(tmp_path):
    written(tmp_path, 1, 2, 3, 4, best=3)
    (tmp_path / "step-00000009.partial").mkdir()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["best-00000003", "step-00000003", "step-00000004", "step-00000009.partial"]
    written(tmp_path / "again", 1, 2, 3, best=3)
    found = load_checkpoint(tmp_path / "again")
    assert found.progress.step == 3
    assert found.tensors["x"].item() == 3


@pytest.mark.parametrize("spoil", ["{", "{}", json.dumps({"progress": {"epoch": "x"}, "sha256": ""})])
def test_damaged_checkpoints_are_said_and_training_starts_again(tmp_path, spoil):
    written(tmp_path, 1, best=1)
    (tmp_path / "step-00000001" / "state.json").write_text(spoil)
    with pytest.warns(UserWarning, match="damaged"):
        assert load_checkpoint(tmp_path) is None


def test_a_checkpoint_without_its_best_weights_is_passed_over(tmp_path):
    written(tmp_path, 1, best=1)
    (tmp_path / "best-00000001" / "tensors.safetensors").write_bytes(b"cut")
    with pytest.warns(UserWarning, match="best-00000001 is damaged"):
        assert load_checkpoint(tmp_path) is None


def test_a_checkpoint_that_would_cost_too_much_of_the_time_is_left_out(tmp_path):
    with CheckpointWriter(tmp_path) as writer:
        assert writer.affords(0.03)  # nothing is known of its cost yet
        writer.save(Progress(step=1), {"x": torch.zeros(2_000_000)})
        writer.wait()
        assert writer.affords(1.0)
        assert not writer.affords(1e-9)


def test_no_checkpoint_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "never") is None


def test_a_disk_that_takes_no_checkpoint_is_a_store_error(tmp_path):
    (tmp_path / "work").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="Free some space"), CheckpointWriter(tmp_path / "work") as writer:
        writer.save(Progress(), {"x": torch.zeros(1)})


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


def test_two_budgets_are_refused_before_anything_is_computed():
    with pytest.raises(ValueError, match="steps is 5 and tokens is 7"):
        LoopConfig(steps=5, tokens=7)
