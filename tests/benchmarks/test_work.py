"""Work counted by hand on graphs of a few nodes, and the rates of this machine."""

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from infra.errors import ArtifactError
from tests.benchmarks.limit import Machine, copy_rate, int8_rate, limit_of
from tests.benchmarks.work import Work, count_work, observe_shapes, weights_of
from tests.tasks.serving.release.tiny_release import voting_graph

FEEDS = {
    "input_ids": np.array([[2, 4, 3]], dtype=np.int64),
    "attention_mask": np.ones((1, 3), dtype=np.int64),
}


def model_of(graph: GraphProto) -> ModelProto:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def dense_model() -> ModelProto:
    """int8 look-up of 4 numbers a token, times their scale, by a matrix [4, 6] and by the transpose of one [2, 6]."""
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "sequence"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["bytes"]),
        helper.make_node("Cast", ["bytes"], ["tokens"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["tokens", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "first"], ["hidden"]),
        helper.make_node("ReduceMean", ["hidden", "axis"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "head"], ["logits"], transB=1),
    ]
    weights = {
        "table": np.ones((10, 4), dtype=np.int8),
        "scale": np.float32(0.5),
        "first": np.ones((4, 6), dtype=np.float32),
        "axis": np.array([1]),
        "head": np.ones((2, 6), dtype=np.float32),
    }
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    return model_of(helper.make_graph(nodes, "dense", [ids], [logits], tensors))


def test_look_ups_read_their_rows_and_matrices_all_of_themselves() -> None:
    model = dense_model()
    work = count_work(model, observe_shapes(model, {"ids": np.array([[1, 2, 3]])}))
    # Three tokens: 3 rows of 4 bytes; scale 4, first 4 x 6 x 4, axis 8, head 2 x 6 x 4 bytes.
    assert work.weight_bytes == 3 * 4 + 4 + 96 + 8 + 48
    # Three tokens by [4, 6], then their mean by [6, 2].
    assert work.multiply_adds == 3 * 4 * 6 + 6 * 2
    assert weights_of(model.graph) == 10 * 4 + 4 + 96 + 8 + 48


def test_a_graph_without_matrices_multiplies_nothing_that_counts() -> None:
    model = voting_graph()
    work = count_work(model, observe_shapes(model, FEEDS))
    assert work == Work(weight_bytes=3 * 3 * 4 + 8 + 8, multiply_adds=0)


def test_a_weight_that_two_nodes_read_is_read_once() -> None:
    ids = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("MatMul", ["x", "square"], ["once"]),
        helper.make_node("MatMul", ["once", "square"], ["y"]),
    ]
    square = numpy_helper.from_array(np.ones((3, 3), dtype=np.float32), "square")
    model = model_of(helper.make_graph(nodes, "twice", [ids], [out], [square]))
    work = count_work(model, observe_shapes(model, {"x": np.ones((2, 3), dtype=np.float32)}))
    assert work == Work(weight_bytes=36, multiply_adds=2 * (2 * 3 * 3))


def test_fused_attention_counts_its_matrix_and_every_token_with_every_other() -> None:
    batch, sequence, hidden, inner = 1, 5, 8, 6
    node = helper.make_node("QAttention", ["x", "weight", "bias"], ["y"], domain="com.microsoft", num_heads=2)
    weight = numpy_helper.from_array(np.ones((hidden, 3 * inner), dtype=np.int8), "weight")
    graph = helper.make_graph([node], "attention", [], [], [weight])
    work = count_work(model_of(graph), {"x": (batch, sequence, hidden), "y": (batch, sequence, inner)})
    assert work.multiply_adds == 5 * 8 * 18 + 2 * 5 * 5 * 6
    assert work.weight_bytes == 8 * 18


def test_four_bit_blocks_have_their_columns_as_an_attribute() -> None:
    node = helper.make_node("MatMulNBits", ["x", "packed"], ["y"], domain="com.microsoft", K=16, N=7)
    packed = numpy_helper.from_array(np.ones((7, 1, 8), dtype=np.uint8), "packed")
    work = count_work(model_of(helper.make_graph([node], "bits", [], [], [packed])), {"x": (1, 3, 16)})
    assert work == Work(weight_bytes=56, multiply_adds=3 * 16 * 7)


def test_an_operator_that_is_not_counted_is_refused() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.ones((1, 1, 3), dtype=np.float32), "w")
    with pytest.raises(ArtifactError, match="Conv are not counted"):
        count_work(model_of(helper.make_graph([node], "conv", [], [], [weight])), {"x": (1, 1, 9)})


def test_shapes_are_those_of_the_run_and_the_graph_is_left_as_it_was() -> None:
    model = dense_model()
    before = model.SerializeToString()
    shapes = observe_shapes(model, {"ids": np.array([[1, 2, 3, 4]])})
    assert shapes["ids"] == (1, 4)
    assert shapes["hidden"] == (1, 4, 6)
    assert shapes["logits"] == (1, 2)
    assert model.SerializeToString() == before


def test_a_limit_is_work_over_rate() -> None:
    machine = Machine(memory_bytes_per_s=2e9, cache_bytes_per_s=8e9, int8_per_s=1e9, int8_at_query_per_s=5e8)
    limit = limit_of(Work(weight_bytes=4_000_000, multiply_adds=3_000_000), machine)
    assert (limit.memory_ms, limit.cache_ms) == pytest.approx((2.0, 0.5))
    assert (limit.int8_ms, limit.int8_at_query_ms) == pytest.approx((3.0, 6.0))


def test_this_machine_has_rates() -> None:
    assert copy_rate(2**20) > 1e6
    assert int8_rate(4, 64, 64) > 1e6
