import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tasks.compression.export.graph import MICROSOFT, check, simplify, strip

WIDTH, HEADS = 8, 2
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def encoder_block(weighted_bias: bool = False, read_sum: bool = False) -> ModelProto:
    """Fused attention with a bias made of the padding mask, and a fused sum with layer norm."""
    random = np.random.default_rng(0)
    weights = {f"w{i}": random.normal(size=(WIDTH, WIDTH)) for i in range(3)}
    weights |= {
        "bias": random.normal(size=3 * WIDTH),
        "gamma": random.normal(size=WIDTH),
        "beta": np.ones(WIDTH),
    }
    weights |= {"one": np.array(1.0), "low": np.array(-1e4), "relative": random.normal(size=(1, 1, 4, 4))}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants += [
        numpy_helper.from_array(np.array(v, dtype=np.int64), n)
        for n, v in (("axes", [1, 2]), ("to", [1, 1, 4, 1]))
    ]
    ends = [("x", FLOAT), ("attention_mask", INT64), ("logits", FLOAT)]
    shapes = {"attention_mask": ["batch", 4]}
    ends = [helper.make_tensor_value_info(n, kind, shapes.get(n, ["batch", 4, WIDTH])) for n, kind in ends]
    graph = helper.make_graph(_nodes(weighted_bias, read_sum), "g", ends[:2], ends[2:], constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def _nodes(weighted_bias: bool, read_sum: bool) -> list[NodeProto]:
    attention = helper.make_node(
        "Attention",
        ["x", "w", "bias", "", "", "weighted" if weighted_bias else "wide"],
        ["attended"],
        name="attention",
        domain=MICROSOFT,
        num_heads=HEADS,
        qkv_hidden_sizes=[WIDTH] * 3,
    )
    outputs = ["normed", "", "", "summed"]
    norm = helper.make_node(
        "SkipLayerNormalization",
        ["attended", "x", "gamma", "beta", "beta"],
        outputs,
        name="skip",
        domain=MICROSOFT,
        epsilon=1e-12,
    )
    return [
        helper.make_node("Cast", ["attention_mask"], ["mask"], name="cast", to=FLOAT),
        helper.make_node("Sub", ["one", "mask"], ["padding"], name="padding"),
        helper.make_node("Mul", ["padding", "low"], ["lowered"], name="lowered"),
        helper.make_node("Unsqueeze", ["lowered", "axes"], ["narrow"], name="narrow"),
        helper.make_node("Expand", ["narrow", "to"], ["wide"], name="wide"),
        helper.make_node("Add", ["wide", "relative"], ["weighted"], name="weighted"),
        helper.make_node("Concat", ["w0", "w1", "w2"], ["w"], name="join", axis=1),
        attention,
        norm,
        helper.make_node("Add", ["normed", "summed" if read_sum else "x"], ["logits"], name="last"),
    ]


def run(model: ModelProto) -> np.ndarray:
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=np.int64)
    values = np.random.default_rng(1).normal(size=(3, 4, WIDTH)).astype(np.float32)
    session = onnxruntime.InferenceSession(check(model))
    # What stands at padded places is never read; what attends from them may differ.
    return session.run(None, {"x": values, "attention_mask": mask})[0][mask == 1]


def kinds(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(("weighted_bias", "read_sum"), [(False, False), (True, False), (False, True)])
def test_the_fastest_form_computes_the_same(weighted_bias: bool, read_sum: bool) -> None:
    model = encoder_block(weighted_bias, read_sum)
    before = run(model)
    simplify(model)
    np.testing.assert_allclose(run(model), before, atol=1e-5)


def test_the_mask_takes_the_place_of_the_nodes_that_made_the_bias() -> None:
    model = encoder_block()
    simplify(model)
    assert kinds(model) == ["Cast", "Attention", "Add", "Sum", "LayerNormalization", "Add"]
    attention = model.graph.node[1]
    assert list(attention.input) == ["x", "w", "bias", "attention_mask_int32"]
    assert [attribute.name for attribute in attention.attribute] == ["num_heads"]
    assert {tensor.name for tensor in model.graph.initializer} == {"w", "bias", "gamma", "beta"}


def test_a_bias_that_holds_weights_stays() -> None:
    model = encoder_block(weighted_bias=True)
    simplify(model)
    assert "weighted" in model.graph.node[kinds(model).index("Attention")].input


def test_a_fused_norm_whose_sum_is_read_stays() -> None:
    model = encoder_block(read_sum=True)
    simplify(model)
    assert "SkipLayerNormalization" in kinds(model)


def test_simplifying_twice_changes_nothing_more() -> None:
    model = encoder_block()
    simplify(model)
    once = check(model)
    simplify(model)
    assert check(model) == once


def test_stripping_leaves_no_word_of_the_exporter() -> None:
    model = encoder_block()
    model.producer_name, model.producer_version, model.doc_string = "pytorch", "2", "from /home/someone"
    for part in (model, model.graph, model.graph.node[0], model.graph.input[0], model.graph.initializer[0]):
        part.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File /home/someone/train.py")
        part.doc_string = "File /home/someone/train.py"
    strip(model)
    content = check(model)
    for word in (b"someone", b"stack_trace", b"pytorch"):
        assert word not in content
    assert run(model).size
