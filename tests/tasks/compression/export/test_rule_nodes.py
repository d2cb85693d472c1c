from functools import cache

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import ModelProto, TensorProto, helper

from tasks.compression.export.rule_nodes import PREFIX, set_rule
from tasks.decision.rule import apply_rule
from tasks.formats.out_of_scope import OutOfScopeRule, Score

CLASSES = 6
LOGITS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.just(CLASSES)), elements=st.floats(-100, 100, width=32)
)


def graph() -> ModelProto:
    """A model that gives its input as logits."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", CLASSES]) for name in ("x", "logits")
    ]
    node = helper.make_node("Identity", ["x"], ["logits"], name="head")
    return helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def rule_of(kind: Score, threshold: float) -> OutOfScopeRule:
    return OutOfScopeRule(label="oos", score=kind, threshold=threshold, expected_share=0.2)


def run(model: ModelProto, logits: np.ndarray) -> np.ndarray:
    return onnxruntime.InferenceSession(model.SerializeToString()).run(["logits"], {"x": logits})[0]


@cache
def ruled_session(kind: Score, threshold: float, column: int) -> onnxruntime.InferenceSession:
    model = graph()
    set_rule(model, rule_of(kind, threshold), column)
    return onnxruntime.InferenceSession(model.SerializeToString())


@given(
    LOGITS,
    st.sampled_from(["energy", "log_odds", "confidence"]),
    st.sampled_from([-40.0, 0.0, 3.25, 77.0]),
    st.sampled_from([0, 2, CLASSES - 1]),
)
@settings(deadline=None)
def test_the_graph_computes_what_numpy_computes(
    logits: np.ndarray, kind: Score, threshold: float, column: int
) -> None:
    expected = apply_rule(logits, rule_of(kind, threshold), column)
    found = ruled_session(kind, threshold, column).run(["logits"], {"x": logits})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    others = [i for i in range(CLASSES) if i != column]
    assert np.array_equal(found[:, others], logits[:, others])


def test_huge_logits_neither_overflow_nor_vanish() -> None:
    model = graph()
    set_rule(model, rule_of("energy", 0.0), CLASSES - 1)
    logits = np.array([[3e4] * CLASSES, [-3e4] * CLASSES], dtype=np.float32)
    assert np.isfinite(run(model, logits)).all()
    assert list(run(model, logits).argmax(axis=1)) == [0, CLASSES - 1]


@pytest.mark.parametrize("rule", [None, rule_of("energy", 1.5), rule_of("confidence", -0.5)])
def test_the_temperature_divides_what_the_rule_gives(rule: OutOfScopeRule | None) -> None:
    model, column = graph(), CLASSES - 1
    set_rule(model, rule, column, temperature=1.6)
    logits = np.random.default_rng(0).normal(scale=3, size=(50, CLASSES)).astype(np.float32)
    found, expected = run(model, logits), apply_rule(logits, rule, column)
    np.testing.assert_allclose(found, expected / 1.6, rtol=1e-5, atol=1e-5)
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    set_rule(model, None, None)
    assert model == graph()


@pytest.mark.parametrize("first", ["energy", "log_odds"])
def test_a_rule_replaces_the_one_that_is_there(first: Score) -> None:
    once, twice = graph(), graph()
    set_rule(twice, rule_of(first, 9.0), 2)
    set_rule(twice, rule_of("energy", -1.0), CLASSES - 1)
    set_rule(once, rule_of("energy", -1.0), CLASSES - 1)
    assert twice == once


def test_no_rule_takes_every_node_of_it_out_again() -> None:
    model = graph()
    set_rule(model, rule_of("log_odds", 1.0), 0)
    assert any(node.name.startswith(PREFIX) for node in model.graph.node)
    set_rule(model, None, None)
    assert model == graph()
