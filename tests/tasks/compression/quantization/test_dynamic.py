import numpy as np
from onnx import TensorProto

from tasks.compression.quantization.affine import fit_affine
from tasks.compression.quantization.answers import graph_logits
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.layers import find_layers
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


def test_a_product_is_that_of_the_integers() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    columns, activation = fit_affine(WEIGHT, symmetric=True, axis=1), fit_affine(rows, symmetric=False)
    expected = activation.round_trip(rows).astype(np.float64) @ columns.round_trip(WEIGHT)
    int8 = to_dynamic_int8(matmul_graph(), embeddings=True)
    np.testing.assert_allclose(run(int8, rows), expected, rtol=1e-4, atol=1e-3)
    assert np.array_equal(tensors(int8)["weight_quantized"], columns.quantize(WEIGHT))


def test_a_table_has_one_scale_and_a_zero_point() -> None:
    ids = np.array([0, 7, 2047])
    expected = fit_affine(TABLE, symmetric=False).round_trip(TABLE)[ids]
    np.testing.assert_allclose(
        run(to_dynamic_int8(gather_graph(), embeddings=True), ids), expected, atol=1e-5
    )
    assert np.array_equal(run(to_dynamic_int8(gather_graph(), embeddings=False), ids), TABLE[ids])


def test_excluded_layers_stay_as_they_are(made: Made) -> None:
    layers = find_layers(made.graph.graph)
    assert {layer.operator for layer in layers} == {"Gather", "MatMul", "Gemm", "Attention"}
    names = [layer.node for layer in layers]
    untouched = to_dynamic_int8(made.graph, embeddings=True, exclude=names)
    assert np.array_equal(graph_logits(untouched, made.feeds), graph_logits(made.graph, made.feeds))
    for layer in layers:
        alone = to_dynamic_int8(
            made.graph, embeddings=True, exclude=[name for name in names if name != layer.node]
        )
        shapes = [
            t.dims for t in alone.graph.initializer if t.data_type in (TensorProto.INT8, TensorProto.UINT8)
        ]
        assert [np.prod(dims) for dims in shapes if len(dims) > 1] == [layer.parameters], layer
        assert kinds(alone) != kinds(made.graph)
