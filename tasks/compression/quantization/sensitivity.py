"""Which layers int8 hurts, and which of them have to go back to float32.

Each layer is made int8 alone, the rest stays float32, and the answers are compared with those of float32: the table is
the most sensitive first. Layers that hurt go back one by one, the worst first, until int8 answers as float32 does on enough
texts.
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto
from pydantic import Field
from tqdm import tqdm

from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.layers import Layer, find_layers
from tasks.formats.value import Value
from tasks.inference.exported import Feeds

ToInt8 = Callable[[Collection[str]], ModelProto]  # names of nodes that stay float32 -> the int8 graph


class LayerSensitivity(Value):
    """One layer in int8, all others in float32."""

    node: str = Field(description="name of its node in the graph")
    operator: str
    place: str = Field(description="the module it belongs to, or the first one behind it that has a name")
    parameters: int
    agreement: float = Field(description="share of texts answered as in float32")
    kl: float = Field(description="mean KL(float32 || int8) of the answers, nats")


class SensitivityReport(Value):
    """`sensitivity.json`: what int8 does to each layer, and what was done about it."""

    texts: int
    layers: tuple[LayerSensitivity, ...] = Field(description="the most sensitive first")
    all_int8: tuple[float, float] = Field(description="agreement and KL with every layer in int8")
    agreement_bound: float = Field(description="agreement that was asked for")
    float32: tuple[str, ...] = Field(description="nodes that went back to float32")
    agreement: float = Field(description="agreement with those in float32")
    kl: float = Field(description="KL with those in float32, nats")


class Fallback(NamedTuple):
    """The int8 graph that passes the bound, and how it came about."""

    model: ModelProto
    report: SensitivityReport


def fall_back(
    model: ModelProto, to_int8: ToInt8, embeddings: bool, feeds: Sequence[Feeds], agreement: float
) -> Fallback:
    """The int8 form of `model`, whose layers that hurt stay float32 until it agrees on a share `agreement` of `feeds`.

    With every layer in float32 it agrees on all, so there is always such a graph. Measure on validation texts: of those
    it was trained on a model is so sure that nothing hurts (KL 0.00003 against 0.0013), and test texts choose nothing.
    """
    reference = graph_logits(model, feeds)
    layers = measure_sensitivity(model, to_int8, embeddings, feeds, reference)
    kept: list[str] = []
    int8 = to_int8(kept)
    found = first = divergence(reference, graph_logits(int8, feeds))
    for layer in layers:
        if found.agreement >= agreement:
            break
        kept.append(layer.node)
        int8 = to_int8(kept)
        found = divergence(reference, graph_logits(int8, feeds))
    report = SensitivityReport(
        texts=len(feeds),
        layers=tuple(layers),
        all_int8=tuple(first),
        agreement_bound=agreement,
        float32=tuple(kept),
        **found._asdict(),
    )
    return Fallback(int8, report)


def measure_sensitivity(
    model: ModelProto, to_int8: ToInt8, embeddings: bool, feeds: Sequence[Feeds], reference: np.ndarray
) -> list[LayerSensitivity]:
    """Every layer of `model` in int8 alone against `reference`, float32's logits on `feeds`; the worst first."""
    layers = find_layers(model.graph, embeddings)
    measured = []
    for layer in tqdm(layers, "sensitivity", leave=False, disable=None):
        others = [other.node for other in layers if other.node != layer.node]
        lost = divergence(reference, graph_logits(to_int8(others), feeds))
        what = {"node": layer.node, "operator": layer.operator, "parameters": layer.parameters}
        measured.append(LayerSensitivity(place=_place(model.graph, layer), **what, **lost._asdict()))
    return sorted(measured, key=lambda layer: -layer.kl)


def _place(graph: GraphProto, layer: Layer) -> str:
    """Module of a layer, from its weight's name; the exporter renames most, then from the bias that is added next.

    Of fused attention, whose bias is renamed too, the module behind it is said.
    """
    parameters = {tensor.name for tensor in graph.initializer if "." in tensor.name}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    reached = [node for node in graph.node if node.name == layer.node]
    for distance in range(len(graph.node)):
        named = [name for node in reached for name in node.input if name in parameters]
        if named:
            module = named[0].removeprefix("model.").rpartition(".")[0]
            return module if distance < 2 else f"before {module}"
        reached = [reader for node in reached for output in node.output for reader in readers.get(output, [])]
    return layer.node
