import logging

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from tasks.compression.export.graph import check
from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.config import Weights4BitConfig
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.weights4bit import to_4bit
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import (
    TABLE,
    WEIGHT,
    gather_graph,
    kinds,
    matmul_graph,
    run,
)

ALL = Weights4BitConfig(matrices="4bit", block_size=32)


def in_blocks(rows: np.ndarray, block_size: int) -> np.ndarray:
    """Each block of a row on 16 integers from its least to its largest value, 0 among them, and back."""
    out = np.empty_like(rows)
    for i, row in enumerate(rows):
        for start in range(0, len(row), block_size):
            block = row[start : start + block_size].astype(np.float64)
            low, high = min(block.min(), 0), max(block.max(), 0)
            scale = (high - low) / 15
            zero = np.rint(-low / scale)
            integers = np.clip(np.rint(block / scale) + zero, 0, 15)
            out[i, start : start + block_size] = (integers - zero) * scale
    return out


@pytest.mark.parametrize("block_size", [16, 32, 64])
def test_a_table_is_that_of_the_blocks(block_size: int) -> None:
    config = Weights4BitConfig(block_size=block_size)
    small = to_4bit(gather_graph(), config, embeddings=True)
    assert kinds(small) == ["GatherBlockQuantized"]
    ids = np.arange(2048)
    difference = np.abs(run(small, ids) - in_blocks(TABLE, block_size))
    # The library rounds a tie, or a zero point on the edge, to the other side here and there.
    assert np.mean(difference > 1e-4) < 0.01
    assert len(check(small)) < TABLE.nbytes / 8 * (1.2 + 16 / block_size)


def test_a_product_is_that_of_the_blocks() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    small = to_4bit(matmul_graph(), ALL, embeddings=True)
    assert kinds(small) == ["MatMulNBits"]
    expected = rows @ in_blocks(WEIGHT.T, 32).T
    # The kernel rounds what goes in to int8 as well.
    assert np.abs(run(small, rows) - expected).max() < 0.02 * np.abs(expected).max()


def test_matrices_are_dynamic_int8_unless_asked_otherwise(made: Made) -> None:
    assert kinds(to_4bit(made.graph, Weights4BitConfig(), embeddings=True)).count("QAttention") == 3
    small = kinds(to_4bit(made.graph, ALL, embeddings=True))
    assert small.count("MatMulNBits") == 12
    assert small.count("MatMulInteger") == 1  # the head is a Gemm


def test_small_tables_are_bytes(made: Made) -> None:
    small = to_4bit(made.graph, Weights4BitConfig(), embeddings=True)
    assert "GatherBlockQuantized" not in kinds(small)
    assert check(small) != check(made.graph)
    left = to_4bit(made.graph, Weights4BitConfig(), embeddings=False)
    assert (
        next(t for t in left.graph.initializer if "word_embeddings" in t.name).data_type
        == onnx.TensorProto.FLOAT
    )


def test_it_answers_much_as_float32_does(made: Made) -> None:
    reference = graph_logits(made.graph, made.feeds)
    four = divergence(reference, graph_logits(to_4bit(made.graph, ALL, True), made.feeds))
    eight = divergence(reference, graph_logits(to_dynamic_int8(made.graph, True), made.feeds))
    assert eight.kl < four.kl < 0.5


def test_the_input_is_left_alone_and_the_bytes_are_the_same_each_time(made: Made) -> None:
    before = check(ModelProto.FromString(made.graph.SerializeToString()))
    first, second = (check(to_4bit(made.graph, ALL, True)) for _ in range(2))
    assert first == second
    assert check(made.graph) == before


def test_the_library_does_not_set_up_the_logging_of_the_process() -> None:
    before = list(logging.getLogger().handlers)
    to_4bit(gather_graph(), Weights4BitConfig(), embeddings=True)
    assert logging.getLogger().handlers == before
