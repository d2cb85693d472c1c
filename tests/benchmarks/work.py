"""What a graph has to do for one query: bytes of weights it reads, multiplications it makes.

Counted from the graph and from the shapes that its values really have for the query. Of an embedding table the rows
that are looked up count, of every other weight all of it. A multiplication that is added to a sum counts as one
multiply-add; norms, activations and softmax are not counted, for they are linear in what matrices square.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from infra.errors import ArtifactError

Shape = tuple[int, ...]
LOOKUPS = ("Gather",)
PRODUCTS = ("MatMul", "MatMulInteger", "FusedMatMul", "Gemm", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
ATTENTIONS = ("Attention", "QAttention")
# Operators that multiply and that no graph made here has.
UNKNOWN = (
    "Conv",
    "ConvInteger",
    "Einsum",
    "GRU",
    "LSTM",
    "MultiHeadAttention",
    "QGemm",
    "QLinearMatMul",
    "RNN",
)


@dataclass(frozen=True)
class Work:
    """One query's."""

    weight_bytes: int
    multiply_adds: int


def count_work(model: ModelProto, shapes: Mapping[str, Shape]) -> Work:
    """The work of one run of `model` whose values have `shapes` (name to sizes; inputs and outputs of all nodes).

    Raises ArtifactError for a graph with an operator that multiplies and is not known here.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    known = dict(shapes) | {name: tuple(tensor.dims) for name, tensor in weights.items()}
    weight_bytes = multiply_adds = 0
    read: set[str] = set()
    for node in model.graph.node:
        multiply_adds += _multiply_adds(node, known)
        for position, name in enumerate(node.input):
            if name not in weights:
                continue
            if node.op_type in LOOKUPS and position == 0:
                rows = math.prod(known[node.input[1]])
                weight_bytes += rows * _bytes(weights[name]) // max(1, weights[name].dims[0])
            elif name not in read:
                read.add(name)
                weight_bytes += _bytes(weights[name])
    return Work(weight_bytes, multiply_adds)


def observe_shapes(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, Shape]:
    """The shape of every value of `model` for `feeds`, by running it with every value as an output."""
    opened = ModelProto.FromString(model.SerializeToString())
    names = [name for node in opened.graph.node for name in node.output if name]
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        opened.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = dict(zip(names, session.run(names, dict(feeds)), strict=True))
    return {name: value.shape for name, value in (*feeds.items(), *found.items())}


def holds_int8(graph: GraphProto) -> bool:
    """Whether any matrix of a graph is of bytes."""
    bytes_of = (TensorProto.INT8, TensorProto.UINT8)
    return any(len(tensor.dims) > 1 and tensor.data_type in bytes_of for tensor in graph.initializer)


def _multiply_adds(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    if node.op_type in UNKNOWN:
        raise ArtifactError(
            f"the multiplications of {node.op_type} are not counted: expected a graph of {', '.join(COUNTED)}. "
            "Add the operator to tests/benchmarks/work.py."
        )
    count = COUNTED.get(node.op_type)
    return 0 if count is None else count(node, shapes)


def _product(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """[..., rows, inner] times [..., inner, columns]; Gemm may store either transposed."""
    left, right = shapes[node.input[0]], shapes[node.input[1]]
    transposed = {attribute.name: attribute.i for attribute in node.attribute}.get("transB", 0)
    columns = right[-2] if transposed else right[-1]
    return math.prod(left) * columns


def _attention(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """Query, key and value by one matrix [hidden, 3 inner]; then every token with every other, and their mean."""
    batch, sequence, hidden = shapes[node.input[0]]
    inner3 = shapes[node.input[1]][1]
    return batch * sequence * hidden * inner3 + 2 * batch * sequence * sequence * (inner3 // 3)


def _blocks(node: NodeProto, shapes: Mapping[str, Shape]) -> int:
    """MatMulNBits: the columns are an attribute, for the weights lie packed."""
    sizes = {attribute.name: attribute.i for attribute in node.attribute}
    return math.prod(shapes[node.input[0]]) * sizes["N"]


COUNTED: Mapping[str, Callable[[NodeProto, Mapping[str, Shape]], int]] = {
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(ATTENTIONS, _attention),
    "MatMulNBits": _blocks,
}


def _bytes(tensor: TensorProto) -> int:
    if tensor.raw_data:
        return len(tensor.raw_data)
    return int(onnx.numpy_helper.to_array(tensor).nbytes)


def weights_of(graph: GraphProto) -> int:
    """Bytes of all weights of a graph."""
    return sum(_bytes(tensor) for tensor in graph.initializer)
