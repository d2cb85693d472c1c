"""The affine map under every int8 model: real value = scale x (integer - zero point), and what it loses.

Jacob et al. 2018 (Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference),
eq. 1. Symmetric: the zero point is 0 and the integers are -127 to 127, as weights are stored, so that a product of
integers needs no correction. Asymmetric: the range may lie anywhere around 0, as activations are stored. One scale for
a whole tensor, or one for each index of an axis (a channel: a row of a PyTorch weight, an embedding's token).
"""

from typing import NamedTuple

import numpy as np

from infra.errors import DataError


class Grid(NamedTuple):
    """The integers of a format, both ends included."""

    low: int
    high: int


SYMMETRIC, ASYMMETRIC = Grid(-127, 127), Grid(0, 255)


class AffineMap(NamedTuple):
    """`scale` float64 and `zero_point` int64: of shape [] for a tensor, with a length at `axis` and ones for channels."""

    scale: np.ndarray
    zero_point: np.ndarray
    grid: Grid

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """The nearest integers, int16 like `values`; what lies beyond the grid becomes its end."""
        integers = np.rint(np.asarray(values, dtype=np.float64) / self.scale) + self.zero_point
        return np.clip(integers, self.grid.low, self.grid.high).astype(np.int16)

    def dequantize(self, integers: np.ndarray) -> np.ndarray:
        """The real values that `integers` stand for, float32."""
        return (self.scale * (integers.astype(np.int64) - self.zero_point)).astype(np.float32)

    def round_trip(self, values: np.ndarray) -> np.ndarray:
        """What is left of `values` after both, float32."""
        return self.dequantize(self.quantize(values))


class AffineError(NamedTuple):
    """What a map loses of some values; all but the ratio in the units of the values."""

    largest: float
    root_mean_square: float
    decibels: float  # signal to noise: 10 log10 of mean square value over mean square error; inf where nothing is lost


def fit_affine(values: np.ndarray, symmetric: bool, axis: int | None = None) -> AffineMap:
    """The map whose range just holds `values` and 0.

    Zero is always exact: it is what padding and most of a ReLU's output are. An empty or all-zero channel gets scale 1.

    Args:
        values: float, any shape, finite.
        symmetric: signed and centred on 0, or unsigned with a zero point.
        axis: the axis of the channels; None for one scale.

    Raises:
        DataError: a value is NaN or infinite.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(
            f"{(~np.isfinite(values)).sum()} of {values.size} values are NaN or infinite: expected finite ones. "
            "Their training diverged or the file is damaged: train again."
        )
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    keep = axis is not None
    low = values.min(axis=others, keepdims=keep, initial=0.0)
    high = values.max(axis=others, keepdims=keep, initial=0.0)
    return map_of_range(low, high, symmetric)


def map_of_range(low: np.ndarray | float, high: np.ndarray | float, symmetric: bool) -> AffineMap:
    """The map of the range from `low` to `high`, widened so that it holds 0."""
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    grid = SYMMETRIC if symmetric else ASYMMETRIC
    span = 2 * np.maximum(-low, high) if symmetric else high - low
    scale = np.asarray(span / (grid.high - grid.low))
    # A subnormal scale would overflow in the division.
    scale = np.where(scale == 0, 1.0, np.maximum(scale, np.finfo(np.float32).tiny))
    zero_point = np.zeros_like(scale) if symmetric else np.rint(grid.low - low / scale)
    return AffineMap(scale, np.asarray(zero_point, dtype=np.int64), grid)


def affine_error(values: np.ndarray, affine: AffineMap) -> AffineError:
    """What `affine` loses of `values`."""
    exact = np.asarray(values, dtype=np.float64)
    wrong = affine.round_trip(values) - exact
    noise, signal = np.mean(wrong**2), np.mean(exact**2)
    decibels = np.inf if noise == 0 else 10 * np.log10(max(signal, np.finfo(float).tiny) / noise)
    return AffineError(float(np.abs(wrong).max()), float(np.sqrt(noise)), float(decibels))
