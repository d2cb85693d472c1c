"""Graphs of one layer, whose quantized answers can be worked out by hand."""

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tasks.compression.quantization.answers import open_graph

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.normal(size=(64, 24)).astype(np.float32)
WEIGHT[:, 3] *= 20  # one large column
TABLE = RANDOM.normal(loc=0.5, size=(2048, 64)).astype(np.float32)


def matmul_graph() -> ModelProto:
    """`logits` = `x` WEIGHT."""
    return _graph("MatMul", ["x", "weight"], ("x", TensorProto.FLOAT, ["rows", 64]), WEIGHT)


def gather_graph() -> ModelProto:
    """`logits` = TABLE[`x`]."""
    return _graph("Gather", ["weight", "x"], ("x", TensorProto.INT64, ["rows"]), TABLE)


def _graph(
    kind: str, inputs: list[str], x: tuple[str, int, list[str | int]], weight: np.ndarray
) -> ModelProto:
    node = helper.make_node(kind, inputs, ["logits"], name="layer")
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", weight.shape[1]])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info(*x)],
        [logits],
        [numpy_helper.from_array(weight, "weight")],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    return open_graph(model).run(["logits"], {"x": x})[0]


def tensors(model: ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def kinds(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]
