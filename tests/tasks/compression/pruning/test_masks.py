"""Which weights go, against plain formulas: magnitude, movement, in blocks, global and for each matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigError
from tasks.compression.pruning.blocks import block_means, expand_mask, largest
from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.magnitude import MagnitudeMask
from tasks.compression.pruning.masks import Masks
from tasks.compression.pruning.movement import (
    MovementMask,
    above_threshold,
    score_penalty,
    soft_start,
    straight_through,
)
from tasks.compression.pruning.schedule import CubicSchedule
from tasks.models.architecture import architecture_of
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import tiny_config

BLOCKS = st.sampled_from([(1, 1), (4, 1), (1, 2), (2, 4), (8, 8)])
SEEDS = st.integers(0, 10**6)
SOON = CubicSchedule(initial=0.0, final=0.75, begin=2, every=2, changes=2)  # changes at 2, 4 and 6


def drawn(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def model_of():
    torch.manual_seed(0)
    return SentenceClassifier.from_config(tiny_config(num_hidden_layers=2), 4)


def masks_of(model, **asked):
    return Masks(model, PruningConfig(**{"sparsity": 0.75} | asked), SOON)


def zeros(model):
    """Share of zeros of each matrix of the layers."""
    return [
        (matrix.weight == 0).double().mean().item()
        for _, matrix in architecture_of(model.body).matrices_of(model.body)
    ]


@given(SEEDS, BLOCKS)
def test_block_means_are_the_means_of_the_blocks(seed, block):
    values = drawn(seed, 8, 16)
    rows, columns = block
    plain = [
        [values[i : i + rows, j : j + columns].mean().item() for j in range(0, 16, columns)]
        for i in range(0, 8, rows)
    ]
    np.testing.assert_allclose(block_means(values, block).numpy(), plain)


@given(SEEDS, BLOCKS)
def test_a_grid_is_spread_over_its_blocks(seed, block):
    grid = drawn(seed, 8 // block[0], 16 // block[1])
    plain = np.kron(grid.numpy(), np.ones(block))
    np.testing.assert_array_equal(expand_mask(grid, block).numpy(), plain)
    torch.testing.assert_close(block_means(expand_mask(grid, block), block), grid)


@given(SEEDS, st.floats(0, 1))
def test_exactly_so_many_are_kept_and_they_are_the_largest(seed, sparsity):
    scores = {"a": drawn(seed, 4, 6), "b": drawn(seed + 1, 3, 5)}
    alone, together = largest(scores, sparsity, "matrix"), largest(scores, sparsity, "global")
    assert [int(alone[name].sum()) for name in scores] == [round((1 - sparsity) * n) for n in (24, 15)]
    assert sum(int(mask.sum()) for mask in together.values()) == round((1 - sparsity) * 39)
    flat = torch.cat([grid.flatten() for grid in scores.values()])
    kept = torch.cat([mask.flatten() for mask in together.values()])
    if kept.any() and not kept.all():
        assert flat[kept].min() >= flat[~kept].max()


def test_of_equal_scores_exactly_so_many_are_kept_too():
    assert (
        largest({"a": torch.zeros(3, 4)}, 0.5, "matrix")["a"].flatten().tolist() == [True] * 6 + [False] * 6
    )


def test_blocks_that_do_not_fill_a_matrix_are_refused():
    with pytest.raises(ConfigError, match="32 x 32 cannot be cut into blocks of 5 x 1"):
        masks_of(model_of(), block_rows=5)


def test_magnitude_cuts_the_smallest_weights_of_all_matrices_together():
    model = model_of()
    before = torch.cat(
        [
            matrix.weight.detach().flatten().abs()
            for _, matrix in architecture_of(model.body).matrices_of(model.body)
        ]
    )
    masks = masks_of(model)
    masks.update(6)
    after = torch.cat(
        [
            matrix.weight.detach().flatten()
            for _, matrix in architecture_of(model.body).matrices_of(model.body)
        ]
    )
    bound = before.sort().values[int(0.75 * len(before))]
    assert torch.equal(after != 0, before >= bound)
    assert masks.sparsity() == pytest.approx(0.75)
    assert max(zeros(model)) > min(zeros(model))


def test_each_matrix_has_the_same_sparsity_when_asked_to():
    model = model_of()
    masks_of(model, scope="matrix").update(6)
    assert zeros(model) == pytest.approx([0.75] * 12)


def test_blocks_are_cut_whole():
    model = model_of()
    masks_of(model, block_rows=4, block_columns=8).update(6)
    for _, matrix in architecture_of(model.body).matrices_of(model.body):
        inside = block_means((matrix.weight == 0).double(), (4, 8))
        assert set(inside.flatten().tolist()) <= {0.0, 1.0}


def test_magnitude_masks_are_held_between_two_changes_and_cut_weights_can_come_back():
    model = model_of()
    masks = masks_of(model, scope="matrix")
    masks.update(4)
    name, (matrix, weight, mask) = next(iter(masks.masked.items()))
    held = mask.kept.clone()
    assert 0 < 1 - held.double().mean() < 0.75
    with torch.no_grad():
        weight[~held] = 9.0
    masks.update(5)
    assert torch.equal(masks.masked[name].mask.kept, held)
    assert (matrix.weight[~held] == 0).all()
    masks.update(6)
    assert masks.masked[name].mask.kept[~held].any()


def test_no_gradient_reaches_a_weight_that_magnitude_cut():
    weight = drawn(0, 4, 4).requires_grad_()
    mask = MagnitudeMask(weight, (2, 2))
    mask.kept[0, 0] = False
    (mask(weight) ** 2).sum().backward()
    assert (weight.grad[:2, :2] == 0).all()
    assert (weight.grad[2:, 2:] != 0).all()


@given(SEEDS, BLOCKS)
def test_gradient_of_a_score_is_the_gradient_of_the_masked_weight_times_the_weight(seed, block):
    weight, inputs, goal = drawn(seed, 8, 16), drawn(seed + 1, 5, 16), drawn(seed + 2, 5, 8)
    mask = MovementMask(weight, block).double()
    mask.kept.copy_(drawn(seed + 3, *mask.kept.shape) > 0)
    ((inputs @ mask(weight.requires_grad_()).T - goal) ** 2).mean().backward()
    # The same by hand: dL/dW' of the squared error, then dL/dS = the sum over a block of dL/dW' * W.
    masked = (weight.detach() * expand_mask(mask.kept, block)).numpy()
    outer = 2 * (inputs.numpy() @ masked.T - goal.numpy()).T @ inputs.numpy() / goal.numel()
    plain = block_means(torch.from_numpy(outer * weight.detach().numpy()), block) * block[0] * block[1]
    torch.testing.assert_close(mask.scores.grad, plain)
    torch.testing.assert_close(weight.grad, torch.from_numpy(outer) * expand_mask(mask.kept, block))


def test_a_straight_through_mask_is_exactly_the_mask():
    kept, scores = torch.tensor([True, False, True]), torch.tensor([0.1, 1e6, -3.7], requires_grad=True)
    assert torch.equal(straight_through(kept, scores), torch.tensor([1.0, 0.0, 1.0]))


def test_movement_keeps_the_k_largest_scores_at_each_step():
    model = model_of()
    masks = masks_of(model, method="movement", scope="matrix")
    for seed, (_, _, mask) in enumerate(masks.masked.values()):
        with torch.no_grad():
            mask.scores.copy_(drawn(seed, *mask.scores.shape))
    for step in (4, 5, 6, 9):
        masks.update(step)
        for _, _, mask in masks.masked.values():
            assert int(mask.kept.sum()) == round((1 - SOON.at(step)) * mask.kept.numel())
            assert mask.scores[mask.kept].min() >= mask.scores[~mask.kept].max()


def test_soft_movement_keeps_what_is_above_the_threshold():
    model = model_of()
    masks = masks_of(model, method="soft_movement", threshold=0.3)
    masks.update(0)
    assert masks.sparsity() == 0.0
    _, _, mask = next(iter(masks.masked.values()))
    with torch.no_grad():
        mask.scores[0] = torch.log(torch.tensor(0.29 / 0.71))
        mask.scores[1] = torch.log(torch.tensor(0.31 / 0.69))
    masks.update(1)
    assert not mask.kept[0].any()
    assert mask.kept[1:].all()
    assert torch.equal(mask.kept, above_threshold(mask.scores, 0.3))


def test_the_penalty_is_the_mean_of_the_sigmoids_of_all_scores():
    scores = [drawn(0, 3, 4), drawn(1, 5, 5)]
    plain = np.mean([1 / (1 + np.exp(-s)) for part in scores for s in part.flatten().tolist()])
    assert score_penalty(scores).item() == pytest.approx(plain)


def test_the_penalty_rises_with_the_schedule_and_pushes_scores_down():
    masks = masks_of(model_of(), method="soft_movement", penalty=40.0)
    confident = 1 / (1 + np.exp(-soft_start()))
    found = []
    for step in (0, 4, 6):
        masks.update(step)
        found.append(masks.penalty().item())
    assert found == pytest.approx([0.0, 40 * (1 - 0.5**3) * confident, 40 * confident])
    masks.penalty().backward()
    assert all((mask.scores.grad > 0).all() for _, _, mask in masks.masked.values())


@pytest.mark.parametrize("method", ["magnitude", "movement"])
def test_only_the_soft_variant_is_penalised(method):
    assert not masks_of(model_of(), method=method).penalised


@pytest.mark.parametrize("method", ["magnitude", "movement", "soft_movement"])
def test_baked_masks_leave_an_ordinary_model_with_the_same_answers(method):
    model, names = model_of().eval(), None
    names = list(model.state_dict())
    masks = masks_of(model, method=method)
    masks.update(6)
    ids = torch.tensor([[2, 9, 10, 3]])
    with torch.no_grad():
        before = model(ids, torch.ones_like(ids)).logits
        masks.bake(model)
        assert torch.equal(model(ids, torch.ones_like(ids)).logits, before)
    assert sorted(model.state_dict()) == sorted(names)
