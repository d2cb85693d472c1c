import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from infra.errors import ConfigError
from tasks.compression.quantization.affine import fit_affine, map_of_range
from tasks.compression.quantization.qat import (
    FakeQuantEmbedding,
    FakeQuantLinear,
    calibrate_observers,
    convert,
    prepare,
    round_range,
    round_rows,
)
from tasks.models.model import SentenceClassifier
from tasks.training.config import LoopConfig
from tasks.training.loop.loop import trained_state
from tests.tasks.training.lesson import Lesson, Watched, make_lesson, make_model

pytestmark = pytest.mark.slow

MATRICES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-100, 100, width=32)
)
LOOP = LoopConfig(
    epochs=2, batch_size=8, learning_rate=3e-3, checkpoint_every=3, checkpoint_share=1, mixed_precision="no"
)


def layer(inputs: int = 6, outputs: int = 4, momentum: float = 0.1) -> FakeQuantLinear:
    torch.manual_seed(0)
    return FakeQuantLinear(nn.Linear(inputs, outputs), momentum)


def prepared() -> SentenceClassifier:
    model = make_model()
    prepare(model, momentum=0.1, embeddings=True)
    calibrate_observers(model, make_lesson().objective.texts.ids, pad_id=0, batch_size=8)
    return model


@given(MATRICES)
def test_rows_are_rounded_as_by_the_affine_map(weight: np.ndarray) -> None:
    expected = fit_affine(weight, symmetric=True, axis=0)
    found = round_rows(torch.from_numpy(weight)).numpy()
    steps = weight / expected.scale
    tied = np.abs(np.abs(steps - np.floor(steps)) - 0.5) < 1e-3  # float32 may round these the other way
    np.testing.assert_allclose(found[~tied], expected.round_trip(weight)[~tied], rtol=1e-5, atol=1e-6)


@given(MATRICES, st.floats(-50, 50), st.floats(-50, 50))
@example(np.ones((1, 1), dtype=np.float32), 0.0, float(np.finfo(np.float32).tiny))  # a subnormal scale
@example(np.ones((1, 1), dtype=np.float32), 0.0, float(np.finfo(np.float32).smallest_subnormal))
def test_values_are_rounded_as_by_the_affine_map(values: np.ndarray, one: float, other: float) -> None:
    low, high = sorted((np.float32(one), np.float32(other)))
    expected = map_of_range(float(low), float(high), symmetric=False)
    found = round_range(torch.from_numpy(values), torch.tensor(low), torch.tensor(high)).numpy()
    # A zero point in the middle between two integers moves everything by one step.
    slack = expected.scale * 1.001 + 1e-4
    assert (np.abs(found - expected.round_trip(values)) <= slack).all()
    assert (found[values == 0] == 0).all()


def test_the_forward_pass_is_that_of_the_integers() -> None:
    linear, values = layer(), torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    found = linear(values).detach().numpy()
    activation = fit_affine(values.numpy(), symmetric=False)
    weight = linear.weight.detach().numpy()
    rounded = fit_affine(weight, symmetric=True, axis=0).round_trip(weight)
    expected = activation.round_trip(values.numpy()) @ rounded.T + linear.bias.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_gradient_is_straight_through_within_the_range_and_zero_outside() -> None:
    linear = layer().eval()
    linear.low.fill_(-1.0)
    linear.high.fill_(1.0)
    values = torch.tensor([[0.3, -0.9, 1.5, -2.0, 0.0, 0.999]], requires_grad=True)
    linear(values).sum().backward()
    rounded = round_rows(linear.weight).detach()
    within = torch.tensor([1.0, 1, 0, 0, 1, 1])
    assert torch.allclose(values.grad[0], rounded.sum(dim=0) * within, atol=1e-6)
    inputs = round_range(values, linear.low, linear.high).detach()
    assert torch.allclose(linear.weight.grad, inputs.expand(4, 6), atol=1e-6)  # as if nothing was rounded
    assert torch.equal(linear.bias.grad, torch.ones(4))


def test_the_range_moves_in_training_alone() -> None:
    linear = layer(momentum=0.25)
    linear(torch.tensor([[-1.0, 0, 0, 0, 0, 3]]))
    assert (linear.low.item(), linear.high.item()) == (-1, 3)
    linear(torch.tensor([[-5.0, 0, 0, 0, 0, 1]]))
    assert (linear.low.item(), linear.high.item()) == (-2, 2.5)
    linear.eval()
    linear(torch.full((1, 6), 100.0))
    assert (linear.low.item(), linear.high.item()) == (-2, 2.5)


def test_preparing_keeps_every_parameter_and_folding_takes_the_rest_away() -> None:
    model = make_model()
    names = {name: value.data_ptr() for name, value in model.named_parameters()}
    plain = set(model.state_dict())
    prepare(model, momentum=0.1, embeddings=True)
    assert {name: value.data_ptr() for name, value in model.named_parameters()} == names
    layers = [
        module for module in model.modules() if isinstance(module, FakeQuantLinear | FakeQuantEmbedding)
    ]
    assert len(layers) == 3 + 6 + 1
    assert set(trained_state(model)) == set(names) | (set(model.state_dict()) - plain)
    convert(model)
    assert set(model.state_dict()) == plain
    assert {type(module) for module in model.modules()}.isdisjoint({FakeQuantLinear, FakeQuantEmbedding})


def test_embeddings_can_be_left_as_they_are() -> None:
    model = make_model()
    prepare(model, momentum=0.1, embeddings=False)
    assert not [module for module in model.modules() if isinstance(module, FakeQuantEmbedding)]


def test_a_folded_model_has_its_weights_on_the_grid() -> None:
    model = prepared()
    convert(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            weight = module.weight.detach().numpy()
            axis = 0 if isinstance(module, nn.Linear) else None
            grid = fit_affine(weight, symmetric=axis == 0, axis=axis)
            np.testing.assert_allclose(grid.round_trip(weight), weight, atol=1e-6, err_msg=name)


def test_the_ordinary_loop_trains_it(tmp_path: Path) -> None:
    model = prepared()
    before = {name: value.detach().clone() for name, value in trained_state(model).items()}
    progress = make_lesson().fit(model, LOOP.model_copy(update={"epochs": 6}), tmp_path)
    assert progress.best_metrics["accuracy"] > 0.9
    changed = {name for name, value in trained_state(model).items() if not torch.equal(value, before[name])}
    assert any(name.endswith(".low") for name in changed)
    assert any("query.weight" in name for name in changed)


def test_a_broken_off_training_goes_on_with_the_ranges_it_had(tmp_path: Path) -> None:
    whole = prepared()
    make_lesson().fit(whole, LOOP, tmp_path / "whole")
    broken, again = prepared(), prepared()
    with pytest.raises(KeyboardInterrupt):
        interrupted(make_lesson(), after=8).fit(broken, LOOP, tmp_path / "broken")
    make_lesson().fit(again, LOOP, tmp_path / "broken")
    for name, value in trained_state(whole).items():
        assert torch.equal(value, trained_state(again)[name]), name


def interrupted(lesson: Lesson, after: int) -> Lesson:
    def interrupt(total: torch.Tensor, asked: int) -> torch.Tensor:
        if asked == after:
            raise KeyboardInterrupt
        return total

    return lesson._replace(objective=Watched(lesson.objective, interrupt))


def test_evaluation_before_any_text_is_refused() -> None:
    model = make_model()
    prepare(model, momentum=0.1, embeddings=True)
    with pytest.raises(ConfigError, match="see_ranges"):
        model.eval()(torch.tensor([[2, 9, 3]]), torch.ones(1, 3))


def test_seeing_ranges_changes_neither_weights_nor_mode() -> None:
    model = prepared().eval()
    calibrate_observers(model, make_lesson().objective.texts.ids, pad_id=0, batch_size=8)
    assert not model.training
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), make_model().parameters(), strict=True))
    assert all(v.isfinite() for n, v in model.named_buffers() if n.endswith((".low", ".high")))


def test_a_copy_can_be_made_of_it() -> None:
    model = prepared()
    assert set(copy.deepcopy(model).state_dict()) == set(model.state_dict())
