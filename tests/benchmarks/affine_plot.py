"""The affine map on a weight matrix of docs/COMPRESSION.md's student: before, after, and what each kind of scale loses."""

from math import prod
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from safetensors import SafetensorError, safe_open

from infra.errors import ArtifactError
from tasks.compression.quantization.affine import AffineError, AffineMap, affine_error, fit_affine
from tasks.figures.style import INK, RIGHT, WRONG, canvas, light_grid

KINDS = (("one scale", None), ("a scale for each row", 0))
BINS = 201  # odd, so that zero has a bin of its own
Errors = dict[str, AffineError]


def plot_quantization(checkpoint: Path, tensor: str, path: Path) -> Errors:
    """Write a PNG of the weight `tensor` of `checkpoint` before and after symmetric int8; returns the errors shown.

    Left the distribution of the weights in float32, in the middle that of the integers of both kinds of scale (one
    scale leaves most of the 255 integers to a few large weights), right the error of each row.

    Args:
        checkpoint: a safetensors file.
        tensor: the name of a matrix [out, in] in it; a row is an output channel.
        path: the PNG.

    Raises:
        ArtifactError: the file cannot be read, or has no such matrix.
    """
    weight = read_matrix(checkpoint, tensor)
    maps = {name: fit_affine(weight, symmetric=True, axis=axis) for name, axis in KINDS}
    errors = {name: affine_error(weight, affine) for name, affine in maps.items()}
    with canvas(path, 12.6, 3.9, panels=3) as (before, after, lost):
        _draw_weights(before, weight, tensor)
        _draw_integers(after, weight, maps)
        _draw_errors(lost, weight, maps, errors)
        for axes in (before, after, lost):
            light_grid(axes)
    return errors


def largest_matrix(checkpoint: Path) -> str:
    """The name of the matrix with the most weights in a safetensors file."""
    with safe_open(checkpoint, framework="numpy") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    return max(
        (name for name in sorted(shapes) if len(shapes[name]) == 2), key=lambda name: prod(shapes[name])
    )


def read_matrix(checkpoint: Path, tensor: str) -> np.ndarray:
    """The matrix `tensor` of a safetensors file, float32 [out, in]; raises ArtifactError."""
    try:
        with safe_open(checkpoint, framework="numpy") as file:
            weight: np.ndarray = file.get_tensor(tensor)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{checkpoint} gives no tensor {tensor!r} ({error}): expected a safetensors file that has it. Name one of "
            "its weight matrices."
        ) from error
    if weight.ndim != 2:
        raise ArtifactError(
            f"{tensor} of {checkpoint} has the shape {weight.shape}: expected a matrix. Name one of the file's weight "
            "matrices."
        )
    return weight.astype(np.float32)


def _draw_weights(axes: Axes, weight: np.ndarray, tensor: str) -> None:
    axes.hist(weight.ravel(), bins=BINS, color=INK, log=True)
    axes.set_title("Weights in float32")
    axes.set_xlabel(f"weight\n{tensor}")
    axes.set_ylabel("weights (logarithmic)")


def _draw_integers(axes: Axes, weight: np.ndarray, maps: dict[str, AffineMap]) -> None:
    edges = np.arange(-127.5, 128.5)
    for (name, affine), colour in zip(maps.items(), (WRONG, RIGHT), strict=True):
        counts, _ = np.histogram(affine.quantize(weight), bins=edges)
        axes.stairs(np.maximum(counts, 0.1), edges, color=colour, label=name, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)  # an integer that no weight has lies below
    axes.set_title("The same as int8")
    axes.set_xlabel("integer")
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")


def _draw_errors(axes: Axes, weight: np.ndarray, maps: dict[str, AffineMap], errors: Errors) -> None:
    """Root mean square error of each row, rows ordered by their largest weight."""
    order = np.argsort(np.abs(weight).max(axis=1))
    for (name, affine), colour in zip(maps.items(), (WRONG, RIGHT), strict=True):
        rows = np.sqrt(np.mean((affine.round_trip(weight) - weight) ** 2, axis=1))[order]
        axes.plot(rows, color=colour, linewidth=1.0, label=f"{name}: {errors[name].decibels:.1f} dB")
    axes.set_ylim(bottom=0)
    axes.set_title("Error of each row")
    axes.set_xlabel("row, by its largest weight")
    axes.set_ylabel("root mean square error")
    axes.legend(frameon=False, fontsize=8.5)
