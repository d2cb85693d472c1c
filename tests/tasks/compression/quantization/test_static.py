from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto

from tasks.compression.export.graph import check
from tasks.compression.quantization.affine import fit_affine, map_of_range
from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.calibration import Range
from tasks.compression.quantization.config import CalibrationConfig, Ranges
from tasks.compression.quantization.layers import find_layers
from tasks.compression.quantization.static import find_ranges, to_static_int8
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import (
    TABLE,
    WEIGHT,
    gather_graph,
    kinds,
    matmul_graph,
    run,
    tensors,
)

pytestmark = pytest.mark.slow


def static(made: Made, **options: object) -> ModelProto:
    return to_static_int8(made.graph, find_ranges(CalibrationConfig(**options), made.graph, made.feeds), True)


def test_a_product_is_that_of_the_integers() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    activation = map_of_range(-1.5, 2.0, symmetric=False)  # narrower than the values: the rest is cut off
    expected = activation.round_trip(rows).astype(np.float64) @ fit_affine(WEIGHT, True, axis=1).round_trip(
        WEIGHT
    )
    int8 = to_static_int8(matmul_graph(), {"x": Range(-1.5, 2.0)}, embeddings=True)
    np.testing.assert_allclose(run(int8, rows), expected, rtol=1e-4, atol=1e-3)
    assert np.abs(rows).max() > 2
    alone = np.concatenate([run(int8, row[None]) for row in rows])
    np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-3)  # whatever shares its batch


def test_a_table_has_one_scale_and_a_zero_point() -> None:
    ids = np.array([0, 7, 2047])
    int8 = to_static_int8(gather_graph(), {}, embeddings=True)
    np.testing.assert_allclose(run(int8, ids), fit_affine(TABLE, False).round_trip(TABLE)[ids], atol=1e-5)
    assert len(check(int8)) < TABLE.nbytes / 3.9


def test_every_layer_is_marked_and_nothing_else(made: Made) -> None:
    int8 = static(made)
    check(int8)
    assert {"Attention", "DynamicQuantizeLinear"}.isdisjoint(kinds(int8))
    weights = {
        t.name
        for t in int8.graph.initializer
        if t.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    }
    layers = find_layers(made.graph.graph)
    assert {f"{layer.weight}_quantized" for layer in layers} <= weights
    makers = {output: node.op_type for node in int8.graph.node for output in node.output}
    readers = {name: node.op_type for node in int8.graph.node for name in node.input}
    for node in int8.graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            assert [makers[name] for name in node.input[:2]] == ["DequantizeLinear"] * 2
            assert readers.get(node.output[0]) != "QuantizeLinear"  # what comes out stays float32


def test_onnx_runtime_computes_in_integers(made: Made, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(static(made).SerializeToString(), options)
    found = kinds(onnx.load(tmp_path / "optimised.onnx"))
    assert "MatMul" not in found
    assert found.count("MatMulIntegerToFloat") == 12
    assert found.count("QGemm") == 1


@pytest.mark.parametrize("ranges", ["min_max", "percentile", "entropy"])
def test_it_answers_much_as_float32_does(made: Made, ranges: Ranges) -> None:
    reference = graph_logits(made.graph, made.feeds)
    found = divergence(reference, graph_logits(static(made, ranges=ranges, bins=512), made.feeds))
    assert found.agreement >= 0.8
    assert found.kl < 0.1


def test_narrow_ranges_are_taken_and_hurt(made: Made) -> None:
    reference = graph_logits(made.graph, made.feeds)
    whole, half = (
        divergence(reference, graph_logits(static(made, ranges="percentile", percentile=p), made.feeds)).kl
        for p in (100, 60)
    )
    assert half > 10 * whole


def test_excluded_layers_stay_as_they_are(made: Made) -> None:
    layers = find_layers(made.graph.graph)
    ranges = find_ranges(CalibrationConfig(), made.graph, made.feeds)
    untouched = to_static_int8(made.graph, ranges, True, exclude=[layer.node for layer in layers])
    expected = graph_logits(made.graph, made.feeds)
    np.testing.assert_allclose(graph_logits(untouched, made.feeds), expected, atol=1e-4)
    one = to_static_int8(made.graph, ranges, True, exclude=[layers[3].node])
    assert layers[3].weight in tensors(one)
    assert f"{layers[4].weight}_quantized" in tensors(one)


def test_the_same_ranges_give_the_same_bytes(made: Made) -> None:
    assert check(static(made)) == check(static(made))
