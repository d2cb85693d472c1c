import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from infra.errors import DataError
from tasks.compression.quantization.affine import ASYMMETRIC, SYMMETRIC, AffineMap, affine_error, fit_affine

MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-1e4, 1e4, width=32),
)
# PyTorch's quantized tensors are deprecated, and the reference that people know.
pytestmark = pytest.mark.filterwarnings("ignore:.*quantized tensor creation functions:UserWarning")
KINDS = st.tuples(st.booleans(), st.sampled_from([None, 0, 1, -1]))


def torch_integers(values: np.ndarray, affine: AffineMap, axis: int | None) -> np.ndarray:
    """The same map in PyTorch. Its int8 goes to -128: the symmetric grid leaves that integer out."""
    kind = torch.qint8 if affine.grid == SYMMETRIC else torch.quint8
    scale, zero_point = torch.from_numpy(affine.scale), torch.from_numpy(affine.zero_point)
    tensor = torch.from_numpy(values)
    if axis is None:
        found = torch.quantize_per_tensor(tensor, scale.item(), int(zero_point), kind)
    else:
        found = torch.quantize_per_channel(tensor, scale.flatten(), zero_point.flatten(), axis, kind)
    return found.int_repr().numpy().astype(np.int16)


@given(MATRICES, st.booleans(), st.sampled_from([None, 0, 1]))
def test_the_integers_are_those_of_pytorch(values: np.ndarray, symmetric: bool, axis: int | None) -> None:
    affine = fit_affine(values, symmetric, axis)
    steps = values.astype(np.float64) / affine.scale
    # PyTorch divides in float32: what lies in the middle between two integers may go either way.
    tied = np.abs(np.abs(steps - np.floor(steps)) - 0.5) < 1e-4
    difference = np.abs(affine.quantize(values) - torch_integers(values, affine, axis))
    assert (difference[~tied] == 0).all()
    assert (difference <= 1).all()


@given(MATRICES, KINDS)
def test_a_value_within_the_range_loses_at_most_half_a_scale(
    values: np.ndarray, kind: tuple[bool, int | None]
) -> None:
    affine = fit_affine(values, *kind)
    # The range holds every value it was fitted on; its zero point is rounded, which moves an end by half a step.
    most = 0.5 if kind[0] else 1.0
    wrong = np.abs(affine.round_trip(values).astype(np.float64) - values)
    assert (wrong <= affine.scale * most * (1 + 1e-6) + np.abs(values) * 1e-6).all()


@given(MATRICES, KINDS)
def test_what_the_map_can_represent_it_gives_back(values: np.ndarray, kind: tuple[bool, int | None]) -> None:
    affine = fit_affine(values, *kind)
    once = affine.round_trip(values)
    assert np.array_equal(affine.round_trip(once), once)
    every = np.arange(affine.grid.low, affine.grid.high + 1).reshape(-1, *[1] * values.ndim)
    assert (affine.quantize(affine.dequantize(every)) == every).all()


@given(MATRICES, KINDS)
def test_zero_stays_zero_and_all_lies_on_the_grid(values: np.ndarray, kind: tuple[bool, int | None]) -> None:
    affine = fit_affine(values, *kind)
    assert (affine.round_trip(np.zeros_like(values)) == 0).all()
    integers = affine.quantize(1e3 * values)
    assert integers.min() >= affine.grid.low
    assert integers.max() <= affine.grid.high


@given(MATRICES, st.booleans())
@example(np.array([[1.0], [1e-45]], dtype=np.float32), False)  # a channel whose scale would be subnormal
def test_a_scale_for_each_channel_is_never_coarser(values: np.ndarray, symmetric: bool) -> None:
    one, each = fit_affine(values, symmetric), fit_affine(values, symmetric, axis=0)
    assert each.scale.shape == (len(values), 1)
    assert (each.scale[np.abs(values).max(axis=1) > 0] <= one.scale * (1 + 1e-12)).all()


def test_by_hand() -> None:
    symmetric = fit_affine(np.array([[-1.0, 0.5], [0.0, 2.54]]), symmetric=True)
    assert symmetric.scale == pytest.approx(0.02)
    assert symmetric.zero_point == 0
    assert symmetric.quantize(np.array([-1.0, 0.5, 2.54, 9.0])).tolist() == [-50, 25, 127, 127]
    asymmetric = fit_affine(np.array([-1.0, 4.1]), symmetric=False)
    assert asymmetric.grid == ASYMMETRIC
    assert asymmetric.scale == pytest.approx(0.02)
    assert asymmetric.zero_point == 50
    assert asymmetric.quantize(np.array([-1.0, 0.0, 4.1])).tolist() == [0, 50, 255]


def test_channels_without_values_lose_nothing() -> None:
    affine = fit_affine(np.array([[0.0, 0.0], [1.0, -2.0]]), symmetric=True, axis=0)
    assert affine.scale.ravel().tolist() == [1.0, pytest.approx(2 / 127)]


def test_the_error_is_that_of_the_definition() -> None:
    values = np.random.default_rng(0).normal(size=(40, 30))
    affine = fit_affine(values, symmetric=True)
    wrong = np.rint(values / affine.scale) * affine.scale - values
    error = affine_error(values, affine)
    assert error.largest == pytest.approx(np.abs(wrong).max(), rel=1e-5)
    assert error.root_mean_square == pytest.approx(np.sqrt((wrong**2).mean()), rel=1e-5)
    assert error.decibels == pytest.approx(10 * np.log10((values**2).mean() / (wrong**2).mean()), rel=1e-5)
    # Rounding errors are uniform within a step: step / sqrt(12) (Widrow 1956).
    assert error.root_mean_square == pytest.approx(float(affine.scale) / np.sqrt(12), rel=0.05)
    assert affine_error(np.zeros(3), affine).decibels == np.inf


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(broken: float) -> None:
    with pytest.raises(DataError, match="1 of 2 values"):
        fit_affine(np.array([1.0, broken]), symmetric=True)
