import numpy as np
from onnx import ModelProto, helper

from tasks.compression.quantization.answers import graph_logits
from tasks.compression.quantization.layers import find_layers, unfuse_attention
from tests.tasks.compression.export.test_graph import encoder_block
from tests.tasks.compression.export.test_graph import run as run_block
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import kinds


def parted(model: ModelProto) -> ModelProto:
    copy = ModelProto.FromString(model.SerializeToString())
    unfuse_attention(copy.graph)
    return copy


def test_layers_are_what_holds_weights_in_the_order_of_computation(made: Made) -> None:
    layers = find_layers(made.graph.graph)
    nodes = [node.name for node in made.graph.graph.node]
    assert [layer.node for layer in layers] == sorted((layer.node for layer in layers), key=nodes.index)
    blocks = ["Attention", "MatMul", "MatMul", "MatMul"] * 3
    assert [layer.operator for layer in layers] == [*["Gather"] * 3, *blocks, "Gemm"]
    assert [layer.activation is None for layer in layers] == [True] * 3 + [False] * 13
    assert layers[3].parameters == 32 * 96  # query, key and value
    assert [layer.operator for layer in find_layers(made.graph.graph, embeddings=False)] == [*blocks, "Gemm"]


def test_attention_without_its_projection_computes_the_same(made: Made) -> None:
    apart = parted(made.graph)
    assert "Attention" not in kinds(apart)
    assert kinds(apart).count("MultiHeadAttention") == 3
    expected = graph_logits(made.graph, made.feeds)
    np.testing.assert_allclose(graph_logits(apart, made.feeds), expected, atol=1e-4)
    padded = {name: np.pad(value, ((0, 0), (0, 3))) for name, value in made.feeds[0].items()}
    np.testing.assert_allclose(graph_logits(apart, [padded])[0], expected[0], atol=1e-4)


def test_the_product_keeps_the_name_of_its_attention(made: Made) -> None:
    assert {layer.node for layer in find_layers(parted(made.graph).graph)} == {
        layer.node for layer in find_layers(made.graph.graph)
    }


def test_a_bias_on_the_scores_is_kept() -> None:
    block = encoder_block(weighted_bias=True)
    before = run_block(block)
    unfuse_attention(block.graph)
    assert "MultiHeadAttention" in kinds(block)
    np.testing.assert_allclose(run_block(block), before, atol=1e-5)


def test_attention_of_uneven_sizes_or_with_a_past_stays(made: Made) -> None:
    for change in ("sizes", "past"):
        model = ModelProto.FromString(made.graph.SerializeToString())
        for node in model.graph.node:
            if node.op_type == "Attention" and change == "sizes":
                node.attribute.append(helper.make_attribute("qkv_hidden_sizes", [32, 32, 16]))
            elif node.op_type == "Attention":
                node.input.extend(["past"])
        assert kinds(parted(model)) == kinds(model)
