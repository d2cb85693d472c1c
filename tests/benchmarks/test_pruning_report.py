"""Bytes against forms counted by hand, and a report that says what was measured."""

import gzip

import numpy as np
import pytest
import torch

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.pruning.sparsity import sparsity_of, weights_of
from tasks.formats.model_files import inference_bytes
from tasks.models.architecture import architecture_of
from tasks.models.model import SentenceClassifier
from tests.benchmarks.pruning_report import Spread, as_int8, report_pruning, stored
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    """The body of a model with half of its 4 x 4 blocks zero, and an ONNX artifact in place of both graphs: zeros do not
    change a graph's form.
    """
    root = tmp_path_factory.mktemp("report")
    dataset, checkpoint = write_dataset(root / "set"), write_teacher(root / "checkpoint")
    model = SentenceClassifier.load(checkpoint)
    with torch.no_grad():
        for _, matrix in architecture_of(model.body).matrices_of(model.body):
            matrix.weight.unflatten(0, (-1, 2, 4))[:, 0] = 0
    (root / "onnx").mkdir()
    export_onnx(CompressConfig(), checkpoint, dataset, root / "onnx")
    return model.body, (root / "onnx", root / "onnx")


def test_forms_are_counted_as_by_hand():
    weight = np.zeros((4, 4), dtype=np.float32)
    weight[0, 0], weight[1, 1], weight[3, 2] = 1, 2, 3
    found = stored([weight, weight], (2, 2))
    assert found.dense == 2 * 64
    assert found.sparse == 2 * (3 * 4 + 3 * 2 + 5 * 4)  # numbers, columns, offsets of four rows
    assert found.block_sparse == 2 * (2 * 16 + 2 * 2 + 3 * 4)  # two blocks of four, of two rows of blocks
    assert found.gzip == len(gzip.compress(weight.tobytes() * 2, 9, mtime=0))


def test_compression_takes_the_zeros_and_sparse_forms_pay_only_when_most_are_zero():
    random = np.random.default_rng(0)
    weight = random.normal(size=(64, 64)).astype(np.float32)
    half, most = weight * (random.random((64, 64)) < 0.5), weight * (random.random((64, 64)) < 0.1)
    assert stored([half], (1, 1)).zstd < 0.7 * stored([weight], (1, 1)).zstd
    assert stored([weight], (1, 1)).sparse > stored([weight], (1, 1)).dense
    assert stored([most], (1, 1)).sparse < 0.25 * stored([most], (1, 1)).dense


def test_int8_keeps_zeros_and_is_within_half_a_step():
    weight = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    weight[:, ::2] = 0
    weight[3] = 0
    found = as_int8(weight)
    scale = np.abs(weight).max(axis=1, keepdims=True) / 127
    assert ((found == 0) >= (weight == 0)).all()
    assert (np.abs(found * scale - weight) <= scale / 2 + 1e-7).all()


def test_sparsity_is_that_of_the_layers_matrices(pruned):
    body, _ = pruned
    assert sparsity_of(body) == pytest.approx(0.5)
    assert len(weights_of(body)) == 18
    assert not any("embeddings" in name for name in weights_of(body))


def test_a_report_says_what_was_measured(pruned):
    body, graphs = pruned
    found = report_pruning(body, (4, 4), graphs, ["what is my balance", "rain"])
    assert found.sparsity == pytest.approx(0.5)
    assert set(found.matrices.values()) == {0.5}
    assert found.pruned_bytes == found.dense_bytes == inference_bytes(graphs[0])
    assert found.float32.dense == 4 * found.int8.dense
    assert found.float32.block_sparse < 0.6 * found.float32.dense
    text = found.text()
    assert "50.0% of the weights" in text
    assert f"takes {found.pruned_latency.median:.3f} (" in text
    assert f"{found.int8.dense / 1e6:.2f} MB ({found.int8.gzip / 1e6:.2f} by gzip" in text
    assert "ONNX Runtime runs them dense only" in text


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        ((0.98, 1.0, 1.03), "no difference"),
        ((0.4, 0.5, 0.6), "a ratio of 0.500 (0.400 to 0.600): a difference"),
    ],
)
def test_a_difference_is_said_only_when_the_quartiles_exclude_one(pruned, ratio, said):
    body, graphs = pruned
    lower, median, upper = ratio
    measured = Spread(median=median, lower_quartile=lower, upper_quartile=upper)
    found = report_pruning(body, (1, 1), graphs, ["rain"])
    assert said in found.model_copy(update={"latency_ratio": measured}).text()
