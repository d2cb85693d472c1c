"""The out-of-scope rule as nodes of the graph, so that plain argmax in any runtime gives the ruled answer."""

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tasks.out_of_scope.rule import OutOfScopeRule

PREFIX = "out_of_scope/"  # of every node, value and constant of the rule
RAW_LOGITS = PREFIX + "raw_logits"
LOGITS = "logits"


def set_rule(model: ModelProto, rule: OutOfScopeRule | None, out_of_scope_id: int | None) -> None:
    """Put `rule` between the head and the output `logits`, in place of any rule that is there; None takes it out.

    The nodes compute what `tasks.out_of_scope.rule.apply_rule` computes, in float32.
    """
    graph = model.graph
    _remove_rule(graph)
    if rule is None or out_of_scope_id is None:
        return
    _rename_output(graph, LOGITS, RAW_LOGITS)
    classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph.initializer.extend(_constants(rule, out_of_scope_id, classes))
    graph.node.extend(_nodes(rule))


def _remove_rule(graph: GraphProto) -> None:
    for parts in (graph.node, graph.initializer):
        for part in [part for part in parts if part.name.startswith(PREFIX)]:
            parts.remove(part)
    _rename_output(graph, RAW_LOGITS, LOGITS)


def _rename_output(graph: GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]


def _constants(rule: OutOfScopeRule, out_of_scope_id: int, classes: int) -> list[TensorProto]:
    is_outside = np.arange(classes) == out_of_scope_id
    values = {
        "class": np.array([1], dtype=np.int64),  # the axis of the classes
        "column": np.array([out_of_scope_id], dtype=np.int64),
        "is_outside": is_outside,
        # Added to the logits, this leaves the in-scope ones and takes the other out of every sum and maximum.
        "outside_lowest": np.where(is_outside, np.finfo(np.float32).min, 0).astype(np.float32),
        "threshold": np.array([rule.threshold], dtype=np.float32),
    }
    if rule.score == "energy":
        del values["column"]
    return [numpy_helper.from_array(value, PREFIX + name) for name, value in values.items()]


def _nodes(rule: OutOfScopeRule) -> list[NodeProto]:
    nodes = [
        _node("Add", (RAW_LOGITS, "outside_lowest"), "in_scope"),
        _node("ReduceLogSumExp", ("in_scope", "class"), "energy"),
        _node("ReduceMax", ("in_scope", "class"), "best"),
    ]
    if rule.score == "log_odds":
        own = _node("Gather", (RAW_LOGITS, "column"), "own")
        own.attribute.append(helper.make_attribute("axis", 1))
        nodes += [own, _node("Sub", ("energy", "own"), "log_odds")]
    return [
        *nodes,
        _node("Sub", ("threshold", rule.score), "lack"),
        _node("Add", ("best", "lack"), "outside_logit"),
        _node("Where", ("is_outside", "outside_logit", RAW_LOGITS), LOGITS),
    ]


def _node(kind: str, inputs: tuple[str, ...], output: str) -> NodeProto:
    return helper.make_node(kind, [_full(name) for name in inputs], [_full(output)], name=f"{PREFIX}{output}")


def _full(name: str) -> str:
    return name if name in (RAW_LOGITS, LOGITS) else PREFIX + name
