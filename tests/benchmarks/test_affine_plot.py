from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from infra.errors import ArtifactError
from tasks.compression.quantization.affine import affine_error, fit_affine
from tests.benchmarks.affine_plot import largest_matrix, plot_quantization


def test_the_figure_of_a_matrix_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
    weight[3] *= 50  # one large row takes the integers from all others
    tensors = {"dense.weight": weight, "dense.bias": weight[0], "small.weight": weight[:2]}
    save_file(tensors, tmp_path / "model.safetensors")
    assert largest_matrix(tmp_path / "model.safetensors") == "dense.weight"
    pictures = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in pictures:
        errors = plot_quantization(tmp_path / "model.safetensors", "dense.weight", path)
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    one, each = errors["one scale"], errors["a scale for each row"]
    assert one == affine_error(weight, fit_affine(weight, symmetric=True))
    assert each.root_mean_square < one.root_mean_square


@pytest.mark.parametrize(("name", "said"), [("no.weight", "gives no tensor"), ("bias", "expected a matrix")])
def test_a_figure_of_no_matrix_is_refused(tmp_path: Path, name: str, said: str) -> None:
    save_file({"bias": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match=said):
        plot_quantization(tmp_path / "model.safetensors", name, tmp_path / "weight.png")


def test_a_figure_of_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match="expected a safetensors file"):
        plot_quantization(tmp_path / "model.safetensors", "weight", tmp_path / "weight.png")
