import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.compression.export.folder import read_model
from tasks.compression.export.graph import check
from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.config import (
    CalibrationConfig,
    FallbackConfig,
    Method,
    QuantizationConfig,
)
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.passes import choose_own_rule, quantize_with
from tasks.compression.quantization.sensitivity import SensitivityReport
from tasks.formats.model_files import inference_bytes
from tasks.formats.onnx_folder import read_config, read_rule
from tasks.inference.onnx import OnnxRunner
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import kinds

ON_ONNX: tuple[Method, ...] = ("none", "dynamic", "static", "qat", "weights4bit")
TEXTS = ["what is my balance", "rain", "tell me about the storm please"]


@pytest.mark.parametrize("method", ON_ONNX)
def test_every_method_gives_a_model_with_the_rule_it_came_with(
    made: Made, tmp_path: Path, method: Method
) -> None:
    metrics = quantize_with(QuantizationConfig(method=method), made.onnx, made.texts, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "config.json", "tokenizer.json"}
    assert metrics == {"size_mb": inference_bytes(tmp_path) / 1e6}
    assert read_config(tmp_path) == read_config(made.onnx)
    runner, float32 = OnnxRunner(tmp_path, threads=1), OnnxRunner(made.onnx, threads=1)
    assert runner.rule == float32.rule is not None
    answers, expected = runner.logits(TEXTS), float32.logits(TEXTS)
    assert answers.shape == expected.shape
    if method == "none":
        assert np.array_equal(answers, expected)
    else:
        assert inference_bytes(tmp_path) < 0.75 * inference_bytes(made.onnx)
        assert divergence(expected, answers).kl < 0.5


def test_each_method_makes_its_own_operators(made: Made, tmp_path: Path) -> None:
    wanted = {"dynamic": "DynamicQuantizeLinear", "static": "QuantizeLinear", "qat": "DynamicQuantizeLinear"}
    for method, operator in wanted.items():
        (folder := tmp_path / method).mkdir()
        quantize_with(QuantizationConfig(method=method), made.onnx, made.texts, folder)
        assert operator in kinds(read_model(folder)[0])


def test_dynamic_is_what_the_default_release_is_made_of(made: Made, tmp_path: Path) -> None:
    quantize_with(QuantizationConfig(), made.onnx, [], tmp_path)
    assert check(read_model(tmp_path)[0]) == check(to_dynamic_int8(made.graph, embeddings=True))


def test_a_fallback_is_written_down(made: Made, tmp_path: Path) -> None:
    held_out = made.texts[:20]
    config = QuantizationConfig(fallback=FallbackConfig(agreement=1.0, texts=8))
    metrics = quantize_with(config, made.onnx, made.texts, tmp_path, held_out)
    report = SensitivityReport.model_validate_json((tmp_path / "sensitivity.json").read_text())
    assert report.texts == 8
    assert metrics["agreement"] == report.agreement == 1
    assert metrics["float32_layers"] == len(report.float32)
    assert metrics["size_mb"] == inference_bytes(tmp_path) / 1e6


def test_a_fallback_without_texts_is_refused(made: Made, tmp_path: Path) -> None:
    config = QuantizationConfig(fallback=FallbackConfig(agreement=0.99))
    with pytest.raises(DataError, match="no texts"):
        quantize_with(config, made.onnx, made.texts, tmp_path)


def test_static_without_texts_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no texts"):
        quantize_with(QuantizationConfig(method="static"), made.onnx, [], tmp_path)


def test_calibration_takes_as_many_texts_as_asked(made: Made, tmp_path: Path) -> None:
    graphs = []
    for count in (1, 30):
        (folder := tmp_path / str(count)).mkdir()
        config = QuantizationConfig(method="static", calibration=CalibrationConfig(texts=count))
        quantize_with(config, made.onnx, made.texts, folder)
        graphs.append(graph_logits(read_model(folder)[0], made.feeds))
    assert not np.array_equal(*graphs)


def test_torch_int8_is_not_made_of_a_graph(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quantize_checkpoint"):
        quantize_with(QuantizationConfig(method="torch_dynamic"), made.onnx, made.texts, tmp_path)


def test_a_threshold_can_be_chosen_on_its_own_logits(made: Made, tmp_path: Path) -> None:
    quantize_with(QuantizationConfig(method="static"), made.onnx, made.texts, tmp_path)
    quantized = check(read_model(tmp_path)[0])
    metrics = choose_own_rule(tmp_path, made.dataset, None)
    before, after = read_rule(made.onnx), read_rule(tmp_path)
    assert before is not None
    assert after is not None
    assert after.threshold != before.threshold
    assert check(read_model(tmp_path)[0]) == quantized
    assert 0 <= metrics["validation_accuracy"] <= 1


def test_data_without_a_rule_give_a_model_without_one(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.onnx, tmp_path / "onnx")
    path = tmp_path / "onnx" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"out_of_scope": None}))
    (tmp_path / "int8").mkdir()
    quantize_with(QuantizationConfig(), tmp_path / "onnx", made.texts, tmp_path / "int8")
    assert read_rule(tmp_path / "int8") is None


@pytest.mark.parametrize("name", ["model.onnx", "config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    shutil.copytree(made.onnx, tmp_path / "onnx")
    (tmp_path / "onnx" / name).unlink()
    (tmp_path / "int8").mkdir()
    with pytest.raises(ArtifactError, match="Export the model again"):
        quantize_with(QuantizationConfig(), tmp_path / "onnx", made.texts, tmp_path / "int8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "int3"},
        {"bits": 8},
        {"calibration": {"percentile": 40}},
        {"weights4bit": {"block_size": 24}},
        {"fallback": {"agreement": 1.5}},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        QuantizationConfig.model_validate(wrong)
