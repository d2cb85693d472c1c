"""The out-of-scope rule and the temperature as nodes of the graph.

Plain argmax in any runtime gives the ruled answer, plain softmax the calibrated confidence.
"""

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tasks.formats.onnx_folder import LOGITS, OWN_LOGITS
from tasks.formats.out_of_scope import OutOfScopeRule

PREFIX = "answer/"  # of every node, value and constant of the rule and the temperature
RULED_LOGITS = PREFIX + "ruled_logits"


def set_rule(
    model: ModelProto, rule: OutOfScopeRule | None, out_of_scope_id: int | None, temperature: float = 1.0
) -> None:
    """Put `rule` and `temperature` between the head and the output `logits`, in place of what is there.

    None and 1 take them out. The nodes compute what `tasks.decision.rule.apply_rule` and then
    `tasks.decision.temperature.soften` compute, in float32.
    """
    graph = model.graph
    _remove_rule(graph)
    ruled, softened = rule is not None and out_of_scope_id is not None, temperature != 1
    if not ruled and not softened:
        return
    _rename_output(graph, LOGITS, OWN_LOGITS)
    if rule is not None and out_of_scope_id is not None:
        classes = graph.output[0].type.tensor_type.shape.dim[1].dim_value
        graph.initializer.extend(_constants(rule, out_of_scope_id, classes))
        graph.node.extend(_nodes(rule, RULED_LOGITS if softened else LOGITS))
    if softened:
        inverse = np.array(1 / temperature, dtype=np.float32)
        graph.initializer.append(numpy_helper.from_array(inverse, PREFIX + "inverse_temperature"))
        given = RULED_LOGITS if ruled else OWN_LOGITS
        names = [given, PREFIX + "inverse_temperature"]
        graph.node.append(helper.make_node("Mul", names, [LOGITS], name=PREFIX + LOGITS))


def _remove_rule(graph: GraphProto) -> None:
    for parts in (graph.node, graph.initializer):
        for part in [part for part in parts if part.name.startswith(PREFIX)]:
            parts.remove(part)
    _rename_output(graph, OWN_LOGITS, LOGITS)


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
    if rule.score != "log_odds":
        del values["column"]
    return [numpy_helper.from_array(value, PREFIX + name) for name, value in values.items()]


def _nodes(rule: OutOfScopeRule, output: str) -> list[NodeProto]:
    nodes = [
        _node("Add", (OWN_LOGITS, "outside_lowest"), "in_scope"),
        _node("ReduceLogSumExp", ("in_scope", "class"), "energy"),
        _node("ReduceMax", ("in_scope", "class"), "best"),
    ]
    if rule.score == "log_odds":
        own = _node("Gather", (OWN_LOGITS, "column"), "own")
        own.attribute.append(helper.make_attribute("axis", 1))
        nodes += [own, _node("Sub", ("energy", "own"), "log_odds")]
    if rule.score == "confidence":
        nodes.append(_node("Sub", ("best", "energy"), "confidence"))
    return [
        *nodes,
        _node("Sub", ("threshold", rule.score), "lack"),
        _node("Add", ("best", "lack"), "outside_logit"),
        _node("Where", ("is_outside", "outside_logit", OWN_LOGITS), output),
    ]


def _node(kind: str, inputs: tuple[str, ...], output: str) -> NodeProto:
    return helper.make_node(kind, [_full(name) for name in inputs], [_full(output)], name=f"{PREFIX}{output}")


def _full(name: str) -> str:
    return name if name in (OWN_LOGITS, RULED_LOGITS, LOGITS) else PREFIX + name
