"""Importance against plain formulas, and cut models against masked ones."""

import copy

import numpy as np
import pytest
import torch

from infra.errors import ConfigError
from tasks.compression.pruning.importance import (
    head_norms,
    most_important,
    norm_importance,
    taylor_importance,
    unit_norms,
)
from tasks.compression.pruning.structured import cut_width, keep_units
from tasks.formats.token_shards import TokenShards
from tasks.models.batching import pad
from tasks.models.heads import kept_heads
from tasks.models.model import SentenceClassifier
from tasks.training.loop.objective import Draw
from tasks.training.text_objective import LabelledRows, TextRows
from tests.tasks.models.tiny_encoder import tiny_config

ROWS = [[2, 9, 10, 21, 3], [2, 9, 3], [2, 14, 15, 3], [2, 22, 8, 7, 6, 3]]
OBJECTIVE = LabelledRows(TextRows(TokenShards.of(ROWS), 0), np.array([0, 3, 1, 2]))
HEAD = 8


def model_of():
    torch.manual_seed(0)
    model = SentenceClassifier.from_config(tiny_config(num_hidden_layers=2, initializer_range=0.2), 4)
    torch.nn.init.normal_(model.head.weight, std=3.0)
    return model.eval()


def logits(model):
    with torch.no_grad():
        return model(*pad(ROWS, 0)).logits


def loss(model, rows):
    """Summed over some rows."""
    (term,) = OBJECTIVE.loss(model, OBJECTIVE.batch(rows, Draw(0, 0))).values()
    return term.total


def batches(size):
    return [np.arange(i, min(i + size, 4)) for i in range(0, 4, size)]


def masked(model, layer, head=None, unit=None):
    """The whole model without what one head, or one unit, gives."""
    other = copy.deepcopy(model)
    part = other.body.encoder.layer[layer]
    with torch.no_grad():
        if head is not None:
            part.attention.output.dense.weight[:, head * HEAD : (head + 1) * HEAD] = 0
        else:
            part.output.dense.weight[:, unit] = 0
    return other


def test_norms_multiply_what_drives_a_part_and_what_it_drives():
    up, down = torch.tensor([[3.0, 4], [0, 1]]), torch.tensor([[1.0, 0], [0, 2]])
    assert unit_norms(up, down).tolist() == [5.0, 2.0]
    value, mix = torch.randn(4, 3), torch.randn(3, 4)
    plain = [value[i : i + 2].norm() * mix[:, i : i + 2].norm() for i in (0, 2)]
    torch.testing.assert_close(head_norms(value, mix, 2), torch.stack(plain))


def test_norms_of_a_model_are_those_of_its_matrices():
    model = model_of()
    found, layer = norm_importance(model), model.body.encoder.layer[1]
    torch.testing.assert_close(
        found.units[1], unit_norms(layer.intermediate.dense.weight, layer.output.dense.weight)
    )
    assert [len(heads) for heads in found.heads] == [4, 4]


def test_taylor_importance_is_the_mean_size_of_each_texts_gradient_by_its_gate():
    """The gradient by a gate is the sum over the text of what a part gives times the gradient by it."""
    model = model_of()
    found = taylor_importance(model, OBJECTIVE, batches(4))
    sums = torch.zeros(4)
    for number in range(4):
        seen = {}

        def keep(module, inputs, seen=seen):
            inputs[0].retain_grad()
            seen["context"] = inputs[0]

        hook = model.body.encoder.layer[0].attention.output.dense.register_forward_pre_hook(keep)
        loss(model, np.array([number])).backward()
        hook.remove()
        product = (seen["context"] * seen["context"].grad).detach()
        sums += product.unflatten(-1, (4, HEAD)).sum(dim=(0, 1, 3)).abs()
    torch.testing.assert_close(found.heads[0], sums / sums.norm())


def test_taylor_importance_does_not_depend_on_the_batches():
    one, all_together = (taylor_importance(model_of(), OBJECTIVE, batches(size)) for size in (1, 4))
    for first, second in zip(
        [*one.heads, *one.units], [*all_together.heads, *all_together.units], strict=True
    ):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)


def test_taylor_importance_foretells_what_the_loss_changes_by_for_small_parts():
    """First order: a part made a thousandth weaker changes the loss by a thousandth of its gate's gradient."""
    model = model_of()
    found = taylor_importance(model, OBJECTIVE, batches(1)[:1])
    one = batches(1)[0]
    with torch.no_grad():
        before = loss(model, one)
        changes = []
        for unit in range(64):
            weaker = copy.deepcopy(model)
            weaker.body.encoder.layer[1].output.dense.weight[:, unit] *= 0.98
            changes.append((loss(weaker, one) - before).abs())
    changes = torch.stack(changes)
    torch.testing.assert_close(found.units[1], changes / changes.norm(), atol=5e-3, rtol=0.05)


def test_taylor_importance_leaves_the_model_alone():
    model = model_of().train()
    before = copy.deepcopy(model.state_dict())
    taylor_importance(model, OBJECTIVE, batches(2))
    assert model.training
    assert all(value.grad is None for value in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.body.encoder.layer[0].output.dense._forward_pre_hooks


def test_the_most_important_are_chosen_in_order():
    chosen = most_important([torch.tensor([0.1, 0.9, 0.3, 0.8]), torch.tensor([4.0, 1, 2, 3])], 2)
    assert [ids.tolist() for ids in chosen] == [[1, 3], [0, 3]]


@pytest.mark.parametrize("kind", ["norm", "taylor"])
def test_a_cut_model_is_smaller_and_answers_as_the_whole_one_with_the_rest_masked(kind):
    model = model_of()
    found = norm_importance(model) if kind == "norm" else taylor_importance(model, OBJECTIVE, batches(2))
    whole, cut = copy.deepcopy(model), copy.deepcopy(model)
    cut_width(cut, found, heads=2, units=16)
    for layer, (heads, units) in enumerate(zip(*found, strict=True)):
        for head in set(range(4)) - set(heads.topk(2).indices.tolist()):
            whole = masked(whole, layer, head=head)
        for unit in set(range(64)) - set(units.topk(16).indices.tolist()):
            whole = masked(whole, layer, unit=unit)
    torch.testing.assert_close(logits(cut), logits(whole), atol=1e-5, rtol=0)
    layer = cut.body.encoder.layer[0]
    assert layer.attention.self.value.weight.shape == (2 * HEAD, 32)
    assert layer.attention.output.dense.weight.shape == (32, 2 * HEAD)
    assert layer.output.dense.weight.shape == (32, 16)
    assert cut.body.config.intermediate_size == 16


def test_width_can_be_cut_again_by_a_new_importance():
    model = model_of()
    cut_width(model, norm_importance(model), heads=3, units=32)
    first = kept_heads(model.body)
    cut_width(model, norm_importance(model), heads=1, units=8)
    assert all(set(new) < set(old) for new, old in zip(kept_heads(model.body), first, strict=True))


def test_nothing_is_cut_where_nothing_is_asked():
    model = model_of()
    before = logits(model)
    cut_width(model, norm_importance(model), heads=None, units=None)
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize(
    "asked", [{"heads": 5, "units": None}, {"heads": None, "units": 65}, {"heads": 0, "units": 1}]
)
def test_more_than_there_is_is_refused(asked):
    model = model_of()
    with pytest.raises(ConfigError, match="what the model has"):
        cut_width(model, norm_importance(model), **asked)


def test_units_that_are_kept_in_another_order_give_the_same_answers():
    model = model_of()
    before = logits(model)
    keep_units(model, [torch.randperm(64), torch.randperm(64)])
    torch.testing.assert_close(logits(model), before, atol=1e-5, rtol=0)
