from collections.abc import Collection

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.layers import find_layers
from tasks.compression.quantization.sensitivity import fall_back, measure_sensitivity
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import tensors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fragile(made: Made) -> tuple[ModelProto, str]:
    """The graph with one matrix that int8 hurts: what goes into its first row is always 0, and that row is large."""
    model = ModelProto.FromString(made.graph.SerializeToString())
    layer = [layer for layer in find_layers(model.graph) if layer.operator == "MatMul"][4]
    norm = "model.body.encoder.layer.1.attention.output.LayerNorm."
    for name, value in ((layer.weight, 300.0), (f"{norm}weight", 0.0), (f"{norm}bias", 0.0)):
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        weight = numpy_helper.to_array(tensor).copy()
        weight[0] = value
        tensor.CopyFrom(numpy_helper.from_array(weight, name))
    return model, layer.node


def test_harm_is_that_of_one_layer_in_int8_alone(made: Made, fragile: tuple[ModelProto, str]) -> None:
    model, node = fragile
    reference = graph_logits(model, made.feeds)

    def to_int8(exclude: Collection[str]) -> ModelProto:
        return to_dynamic_int8(model, True, exclude)

    harms = measure_sensitivity(model, to_int8, True, made.feeds, reference)
    layers = [layer.node for layer in find_layers(model.graph)]
    assert sorted(harm.node for harm in harms) == sorted(layers)
    assert harms[0].node == node
    assert [harm.kl for harm in harms] == sorted((harm.kl for harm in harms), reverse=True)
    alone = graph_logits(to_int8([other for other in layers if other != node]), made.feeds)
    assert (harms[0].agreement, harms[0].kl) == divergence(reference, alone)
    assert (harms[0].operator, harms[0].place) == ("MatMul", "body.encoder.layer.1.intermediate.dense")


def test_places_are_named_after_modules(made: Made) -> None:
    harms = measure_sensitivity(
        made.graph, lambda exclude: made.graph, True, made.feeds[:1], graph_logits(made.graph, made.feeds[:1])
    )
    places = [harm.place for harm in harms]
    assert all(harm.kl == 0 for harm in harms)
    assert {"body.embeddings.word_embeddings", "body.encoder.layer.2.output.dense", "head"} <= set(places)
    assert places.count("before body.encoder.layer.0.attention.output.dense") == 1
    assert len(set(places)) == len(places)


def test_layers_that_hurt_go_back_until_it_agrees(made: Made, fragile: tuple[ModelProto, str]) -> None:
    model, node = fragile
    bound = 0.99

    def to_int8(exclude: Collection[str]) -> ModelProto:
        return to_dynamic_int8(model, True, exclude)

    found = fall_back(model, to_int8, True, made.feeds, bound)
    report = found.report
    assert report.all_int8[0] < bound <= report.agreement
    assert report.float32[0] == node
    assert len(report.float32) < len(report.layers)
    assert report.texts == len(made.feeds)
    measured = divergence(graph_logits(model, made.feeds), graph_logits(found.model, made.feeds))
    assert (report.agreement, report.kl) == measured
    kept = next(layer for layer in find_layers(model.graph) if layer.node == node)
    assert np.array_equal(tensors(found.model)[kept.weight], tensors(model)[kept.weight])
    fewer = divergence(
        graph_logits(model, made.feeds), graph_logits(to_int8(report.float32[:-1]), made.feeds)
    )
    assert fewer.agreement < bound  # no layer went back in vain


def test_nothing_goes_back_where_nothing_hurts(made: Made) -> None:
    found = fall_back(made.graph, lambda exclude: made.graph, True, made.feeds[:2], 1.0)
    assert found.report.float32 == ()
    assert found.report.agreement == 1


def test_everything_goes_back_before_a_bound_is_missed(made: Made) -> None:
    """A form that is wrong unless every layer is left alone: the bound still holds at the end."""
    layers = {layer.node for layer in find_layers(made.graph.graph)}
    wrong = ModelProto.FromString(made.graph.SerializeToString())
    head = next(tensor for tensor in wrong.graph.initializer if tensor.name == "model.head.weight")
    head.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(head), head.name))
    found = fall_back(
        made.graph, lambda exclude: made.graph if set(exclude) == layers else wrong, True, made.feeds[:3], 1.0
    )
    assert set(found.report.float32) == layers
    assert found.report.agreement == 1
