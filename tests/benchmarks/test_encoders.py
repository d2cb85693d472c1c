import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from infra.errors import ArtifactError
from tests.benchmarks.encoders import (
    TREEBANK,
    Encoder,
    mean_graph,
    sentence_vectors,
    with_unknown,
    word_tokenizer,
    word_vectors,
)


def run(model: ModelProto, output: str, ids: list[list[int]], mask: list[list[int]]) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run([output], {"input_ids": np.array(ids), "attention_mask": np.array(mask)})[
        0
    ]
    return found


def word_encoder(words: list[str], table: np.ndarray) -> Encoder:
    return word_vectors("words", word_tokenizer(words), with_unknown(table))


def sentence_model(inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> ModelProto:
    """As a sentence-transformer is exported: ids and token vectors are outputs too, the sentence's is the last."""
    table = np.arange(8, dtype=np.float32).reshape(4, 2)
    nodes = [
        helper.make_node("Identity", ["input_ids"], ["echo"]),
        helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
        helper.make_node("ReduceMean", ["tokens"], ["sentence"], axes=[1], keepdims=0),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in inputs
    ]
    outputs = [
        helper.make_tensor_value_info("echo", TensorProto.INT64, ["batch", "sequence"]),
        helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["batch", "sequence", 2]),
        helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["batch", 2]),
    ]
    graph = helper.make_graph(nodes, "exported", values, outputs, [numpy_helper.from_array(table, "table")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_the_mean_is_over_known_tokens_and_padding_changes_nothing(kind: type) -> None:
    table = np.array([[1, 2], [3, 6], [100, 100]], dtype=kind)  # whatever stands in the unknown's row
    model = mean_graph(table, unknown=2)
    vectors = run(model, "vectors", [[0, 1, 2], [1, 2, 2], [2, 2, 2]], [[1, 1, 1], [1, 0, 0], [1, 1, 0]])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[2, 4], [3, 6], [0, 0]]


def test_a_text_without_tokens_is_zeros() -> None:
    encoder = word_encoder(["a"], np.ones((1, 2), dtype=np.float32))
    session = onnxruntime.InferenceSession(encoder.graph.SerializeToString())
    none = np.zeros((1, 0), dtype=np.int64)
    found = session.run(["vectors"], {"input_ids": none, "attention_mask": none})[0]
    assert found.tolist() == [[0, 0]]


def test_words_are_cut_as_the_treebank_does_it() -> None:
    tokenizer = word_tokenizer(["what", "'s", "do", "n't", "my", "pin", "?"])
    assert tokenizer.encode("What's my PIN?").tokens == ["what", "'s", "my", "pin", "?"]
    assert tokenizer.encode("I don't").ids == [7, 2, 3]  # seven words: the next id is of what is unknown
    assert TREEBANK.startswith(r"\w+(?=n't)")


def test_of_an_exported_encoder_the_sentence_vector_stays() -> None:
    model, name = sentence_vectors(sentence_model())
    assert [value.name for value in model.graph.output] == [name] == ["sentence"]
    assert {node.op_type for node in model.graph.node} >= {"Gather", "ReduceMean"}
    assert "Identity" not in {node.op_type for node in model.graph.node}
    assert run(model, name, [[0, 3]], [[1, 1]]).tolist() == [[3, 4]]


def test_an_encoder_that_wants_more_than_ids_and_mask_is_refused() -> None:
    with pytest.raises(ArtifactError, match="takes input_ids, attention_mask, token_type_ids"):
        sentence_vectors(sentence_model(("input_ids", "attention_mask", "token_type_ids")))
