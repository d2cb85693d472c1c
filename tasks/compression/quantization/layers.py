"""The layers of a graph that can be quantized: the nodes that hold a weight matrix or an embedding table."""

from typing import NamedTuple

from onnx import GraphProto, NodeProto, TensorProto, helper

from tasks.compression.export.graph import MICROSOFT
from tasks.compression.quantization.dynamic import EMBEDDINGS, MATRICES

# Inputs of com.microsoft's Attention after tokens, weight and bias of the projection.
MASK, PAST, BIAS = 3, 4, 5
KEPT = ("num_heads", "scale", "mask_filter_value", "unidirectional")  # attributes of both attentions


class Layer(NamedTuple):
    """A node, its weight, and the activation that goes into it (None for a table, which is only looked up)."""

    node: str
    operator: str
    weight: str
    parameters: int
    activation: str | None


def find_layers(graph: GraphProto, embeddings: bool = True) -> list[Layer]:
    """Layers of `graph` in the order of their computation."""
    weights = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    }
    found = []
    for node in graph.node:
        table = embeddings and node.op_type in EMBEDDINGS
        if not table and node.op_type not in MATRICES:
            continue
        weight = weights.get(node.input[0 if table else 1])
        if weight is not None:
            rows, columns = weight.dims
            activation = None if table else node.input[0]
            found.append(Layer(node.name, node.op_type, weight.name, rows * columns, activation))
    return found


def unfuse_attention(graph: GraphProto) -> None:
    """Take the projection out of fused attention, in place: a MatMul, a Split, and what is left of attention.

    Quantizers for QDQ and for blocks of 4 bits know MatMul, not com.microsoft's Attention. The MatMul takes its name.
    An attention with past keys, or whose query, key and value differ in size, stays as it is.
    """
    nodes: list[NodeProto] = []
    for node in graph.node:
        fused = (node.op_type, node.domain) == ("Attention", MICROSOFT)
        uneven = any(len(set(a.ints)) > 1 for a in node.attribute if a.name == "qkv_hidden_sizes")
        inputs = [*node.input, *[""] * (BIAS + 1 - len(node.input))]
        if fused and not uneven and not inputs[PAST]:
            nodes += _parted(node, inputs)
        else:
            nodes.append(NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(nodes)


def _parted(node: NodeProto, inputs: list[str]) -> list[NodeProto]:
    tokens, weight, bias = inputs[:3]
    joined = f"{node.output[0]}_joined"
    parts = [f"{node.output[0]}_{part}" for part in ("query", "key", "value")]
    heads = helper.make_node(
        "MultiHeadAttention",
        [*parts, bias, inputs[MASK], inputs[BIAS]],
        list(node.output),
        name=f"{node.name}_heads",
        domain=MICROSOFT,
    )
    heads.attribute.extend(attribute for attribute in node.attribute if attribute.name in KEPT)
    while not heads.input[-1]:
        del heads.input[-1]
    return [
        helper.make_node("MatMul", [tokens, weight], [joined], name=node.name),
        helper.make_node("Split", [joined], parts, name=f"{node.name}_split", axis=-1, num_outputs=3),
        heads,
    ]
