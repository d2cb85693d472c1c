"""A release of a few hundred bytes: a real graph and tokenizer, whose answers can be worked out by hand."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from tasks.formats.out_of_scope import OutOfScopeRule

WORDS = ("[PAD]", "[UNK]", "pin", "money", "account", "move")
LABELS = ("pin_change", "transfer", "oos")
VOTES = np.array(
    [[0, 0, 0], [0, 0, 0.1], [5, 0, 0], [0, 5, 0], [1, 1, 0], [0, 4, 0]], dtype=np.float32
)  # word x label


def make_onnx_artifact(folder: Path, rule: OutOfScopeRule | None = None) -> Path:
    """An artifact as the quantize stage leaves it: each word votes for labels, logits are sums of votes."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {str(i): name for i, name in enumerate(LABELS)}
    config = {
        "model_type": "bert",
        "id2label": names,
        "max_length": 8,
        "out_of_scope": None,
        "temperature": 1.0,
    }
    if rule is not None:
        config["out_of_scope"] = rule.model_dump()
    (folder / "config.json").write_text(json.dumps(config, sort_keys=True))
    onnx.save(voting_graph(), str(folder / "model.onnx"))
    return folder


def voting_graph() -> onnx.ModelProto:
    """logits [batch, labels] = sum over the sequence of VOTES[input_ids] * attention_mask."""
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])
    nodes = [
        helper.make_node("Gather", ["votes", "input_ids"], ["gathered"]),
        helper.make_node("Cast", ["attention_mask"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last"], ["column"]),
        helper.make_node("Mul", ["gathered", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "sequence_axis"], ["logits"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(VOTES, "votes"),
        numpy_helper.from_array(np.array([-1]), "last"),
        numpy_helper.from_array(np.array([1]), "sequence_axis"),
    ]
    graph = helper.make_graph(nodes, "votes", [ids, mask], [logits], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model
