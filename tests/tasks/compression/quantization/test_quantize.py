import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from infra.errors import ArtifactError
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.rule_nodes import PREFIX
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.formats.dataset import load_split
from tasks.inference.onnx import OnnxRunner
from tests.tasks.compression.conftest import Chain
from tests.tasks.models.tiny_encoder import write_dataset


@pytest.fixture(scope="module")
def graph(chain: Chain) -> onnx.GraphProto:
    return onnx.load(chain.int8 / "model.onnx").graph


def weights(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer}


def test_every_matrix_is_int8_with_a_scale_for_each_column(graph: onnx.GraphProto) -> None:
    tensors = weights(graph)
    scales = {"QAttention": 4, "MatMulInteger": None}
    products = [node for node in graph.node if node.op_type in scales]
    assert (
        len(products) == 3 * 4 + 1
    )  # attention, its output and two feed-forward matrices a layer, and the head
    for node in products:
        matrix = tensors[node.input[1]]
        columns = matrix.dims[1]
        assert matrix.data_type == TensorProto.INT8
        assert np.abs(numpy_helper.to_array(matrix)).max() == 127  # all 8 bits are used
        assert list(tensors[matrix.name.replace("_quantized", "_scale")].dims) == [columns]


def test_embeddings_are_bytes_until_they_are_looked_up(graph: onnx.GraphProto) -> None:
    tensors = weights(graph)
    lookups = [node for node in graph.node if node.op_type == "Gather" and "embeddings" in node.input[0]]
    assert len(lookups) == 3
    readers = {name: node.op_type for node in graph.node for name in node.input}
    for node in lookups:
        assert tensors[node.input[0]].data_type in (TensorProto.INT8, TensorProto.UINT8)
        assert readers[node.output[0]] == "DequantizeLinear"


def test_biases_and_norms_stay_float(graph: onnx.GraphProto) -> None:
    for name, tensor in weights(graph).items():
        if name.endswith(".bias") or "LayerNorm" in name:
            assert tensor.data_type == TensorProto.FLOAT, name
    large = [t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT and len(t.dims) > 1]
    assert not large


def test_embeddings_can_be_left_as_they_are(chain: Chain, tmp_path: Path) -> None:
    metrics = quantize_onnx(CompressConfig(quantize_embeddings=False), chain.onnx, chain.dataset, tmp_path)
    tensors = weights(onnx.load(tmp_path / "model.onnx").graph)
    assert tensors["model.body.embeddings.word_embeddings.weight"].data_type == TensorProto.FLOAT
    assert metrics["size_mb"] > sum(path.stat().st_size for path in chain.int8.iterdir()) / 1e6


def test_the_int8_graph_has_a_threshold_chosen_on_its_own_logits(chain: Chain) -> None:
    rules = [
        json.loads((folder / "config.json").read_text())["out_of_scope"]
        for folder in (chain.onnx, chain.int8)
    ]
    assert rules[0]["threshold"] != rules[1]["threshold"]
    assert {**rules[0], "threshold": 0} == {**rules[1], "threshold": 0}
    threshold = weights(onnx.load(chain.int8 / "model.onnx").graph)[PREFIX + "threshold"]
    assert numpy_helper.to_array(threshold)[0] == np.float32(rules[1]["threshold"])


def test_metrics_are_those_of_the_written_files(chain: Chain, tmp_path: Path) -> None:
    metrics = quantize_onnx(CompressConfig(), chain.onnx, chain.dataset, tmp_path)
    validation = load_split(chain.dataset, "validation")
    runner = OnnxRunner(tmp_path, threads=1)
    answers = [int(runner.logits([text]).argmax()) for text in validation.texts]
    assert metrics["validation_accuracy"] == pytest.approx((answers == validation.labels).mean())
    assert metrics["size_mb"] == sum(path.stat().st_size for path in tmp_path.iterdir()) / 1e6
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "tokenizer.json", "config.json"}


def test_the_expected_share_moves_the_threshold(chain: Chain, tmp_path: Path) -> None:
    thresholds = []
    for share in (0.01, 0.9):
        (folder := tmp_path / str(share)).mkdir()
        quantize_onnx(CompressConfig(expected_share=share), chain.onnx, chain.dataset, folder)
        rule = json.loads((folder / "config.json").read_text())["out_of_scope"]
        assert rule["expected_share"] == share
        thresholds.append(rule["threshold"])
    assert thresholds[0] < thresholds[1]


def test_data_without_an_out_of_scope_label_give_a_graph_without_a_rule(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.dataset, tmp_path / "dataset")
    info = tmp_path / "dataset" / "dataset.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"out_of_scope": None}))
    (tmp_path / "int8").mkdir()
    metrics = quantize_onnx(CompressConfig(), chain.onnx, tmp_path / "dataset", tmp_path / "int8")
    assert set(metrics) == {"validation_accuracy", "size_mb"}
    assert json.loads((tmp_path / "int8" / "config.json").read_text())["out_of_scope"] is None
    nodes = onnx.load(tmp_path / "int8" / "model.onnx").graph.node
    assert [node.op_type for node in nodes if node.name.startswith(PREFIX)] == [
        "Mul"
    ]  # the temperature alone


def test_weights_that_are_not_finite_are_refused(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.onnx, tmp_path / "onnx")
    model = onnx.load(tmp_path / "onnx" / "model.onnx")
    bias = weights(model.graph)["model.head.bias"]
    bias.CopyFrom(numpy_helper.from_array(np.full(4, np.nan, dtype=np.float32), bias.name))
    onnx.save(model, tmp_path / "onnx" / "model.onnx")
    (tmp_path / "int8").mkdir()
    with pytest.raises(ArtifactError, match="NaN or infinity"):
        quantize_onnx(CompressConfig(), tmp_path / "onnx", chain.dataset, tmp_path / "int8")


def test_a_data_set_of_other_labels_is_refused(chain: Chain, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "dataset", out_of_scope=False)
    with pytest.raises(ArtifactError, match=r"answers 4 labels.* has 3"):
        quantize_onnx(CompressConfig(), chain.onnx, other, tmp_path)


@pytest.mark.parametrize("broken", ["model.onnx", "config.json", "tokenizer.json"])
def test_a_damaged_onnx_artifact_is_refused(chain: Chain, tmp_path: Path, broken: str) -> None:
    shutil.copytree(chain.onnx, tmp_path / "onnx")
    (tmp_path / "onnx" / broken).write_bytes(b"\xff\x00 no model")
    (tmp_path / "int8").mkdir()
    with pytest.raises(ArtifactError, match="Export the model again"):
        quantize_onnx(CompressConfig(), tmp_path / "onnx", chain.dataset, tmp_path / "int8")
    (tmp_path / "onnx" / broken).unlink()
    with pytest.raises(ArtifactError, match="Export the model again"):
        quantize_onnx(CompressConfig(), tmp_path / "onnx", chain.dataset, tmp_path / "int8")
