import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.config import QuantizationConfig
from tasks.compression.quantization.openvino import write_openvino_int8
from tasks.compression.quantization.passes import choose_own_rule, quantize_with
from tasks.decision.rule import apply_rule
from tasks.decision.temperature import apply_temperature
from tasks.formats.model_files import inference_bytes, inference_files
from tasks.formats.model_folder import kind_of
from tasks.formats.onnx_folder import read_rule
from tasks.inference.openvino import OpenvinoRunner, import_openvino, without_reports
from tasks.inference.runner import open_runner
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import WEIGHT, matmul_graph

INSTALLED = importlib.util.find_spec("openvino") is not None and importlib.util.find_spec("nncf") is not None
needs_openvino = pytest.mark.skipif(not INSTALLED, reason="the extra openvino is not installed")
TEXTS = ["what is my balance", "rain", "tell me about the storm please"]


@pytest.fixture(scope="module")
def int8(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    quantize_with(QuantizationConfig(method="openvino"), made.onnx, made.texts, folder)
    return folder


@pytest.mark.skipif(INSTALLED, reason="the extra openvino is installed")
def test_where_it_is_missing_the_extra_is_named(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pip install 'stillhouse\[openvino\]'"):
        quantize_with(QuantizationConfig(method="openvino"), made.onnx, made.texts, tmp_path)
    (tmp_path / "openvino_model.xml").write_text("<net/>")
    with pytest.raises(ConfigError, match="OpenVINO is asked for"):
        open_runner(tmp_path)


def test_reports_are_off_for_as_long_as_asked() -> None:
    before = {name: os.environ.get(name) for name in ("CI", "NNCF_CI")}
    with without_reports():
        assert os.environ["CI"] == "true"
        assert os.environ["NNCF_CI"]
    assert {name: os.environ.get(name) for name in ("CI", "NNCF_CI")} == before


@needs_openvino
def test_a_product_is_that_of_the_integers(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    write_openvino_int8(matmul_graph(), ({"x": rows[i : i + 1]} for i in range(64)), tmp_path)
    compiled = import_openvino().Core().compile_model(tmp_path / "openvino_model.xml", "CPU")
    found, exact = compiled(rows)["logits"], rows @ WEIGHT
    # Weights and inputs lose at most half a step of their range each.
    steps = np.abs(WEIGHT).max(axis=0) / 127 / 2 * np.abs(rows).sum(axis=1, keepdims=True)
    steps = steps + np.ptp(rows) / 255 * np.abs(WEIGHT).sum(axis=0)
    assert (np.abs(found - exact) <= steps).all()
    assert np.abs(found - exact).max() > 1e-4  # it is not float32


@needs_openvino
def test_it_answers_much_as_float32_does(made: Made, int8: Path) -> None:
    reference = graph_logits(made.graph, made.feeds)
    runner = OpenvinoRunner(int8, threads=1)
    runner.rule = None
    found = np.concatenate([runner._compiled(feed)["logits"] for feed in made.feeds])
    assert divergence(reference, found).kl < 0.05


@needs_openvino
def test_it_runs_behind_the_same_interface(made: Made, int8: Path) -> None:
    assert kind_of(int8) == "openvino"
    runner, float32 = open_runner(int8, threads=1), open_runner(made.onnx, threads=1)
    assert runner.labels == float32.labels
    assert runner.rule == float32.rule is not None
    assert runner.runtime.startswith("openvino 20")
    found, expected = runner.logits(TEXTS), float32.logits(TEXTS)
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    assert np.abs(found - expected).max() < 0.25 * np.ptp(expected)


@needs_openvino
def test_the_rule_is_applied_as_configured(int8: Path) -> None:
    runner = OpenvinoRunner(int8)
    ruled, rule = runner.logits(TEXTS), runner.rule
    temperature, runner.rule, runner.temperature = runner.temperature, None, None
    assert temperature is not None
    assert np.array_equal(ruled, apply_temperature(apply_rule(runner.logits(TEXTS), rule, 3), temperature))


@needs_openvino
def test_a_threshold_can_be_chosen_on_its_own_logits(made: Made, int8: Path, tmp_path: Path) -> None:
    shutil.copytree(int8, tmp_path / "model")
    metrics = choose_own_rule(tmp_path / "model", made.dataset, 0.5)
    assert set(metrics) == {"validation_accuracy", "size_mb"}
    rule, before = read_rule(tmp_path / "model"), read_rule(int8)
    assert rule is not None
    assert before is not None
    assert rule.expected_share == 0.5
    assert rule.threshold != before.threshold


@needs_openvino
def test_its_size_is_that_of_what_inference_needs(made: Made, int8: Path) -> None:
    assert {path.name for path in inference_files(int8)} == {
        "openvino_model.xml",
        "openvino_model.bin",
        "config.json",
        "tokenizer.json",
    }
    weights = (int8 / "openvino_model.bin").stat().st_size
    assert weights < 0.4 * inference_bytes(made.onnx)


@needs_openvino
def test_the_file_says_nothing_of_the_machine_and_is_the_same_each_time(
    made: Made, int8: Path, tmp_path: Path
) -> None:
    quantize_with(QuantizationConfig(method="openvino"), made.onnx, made.texts, tmp_path)
    for path in int8.iterdir():
        content = path.read_bytes()
        assert (tmp_path / path.name).read_bytes() == content
        for secret in (Path.home(), Path(sys.prefix), made.onnx.parent):
            assert str(secret).encode() not in content


@needs_openvino
def test_nothing_is_written_to_the_home_folder(tmp_path: Path) -> None:
    """Where reports are on, an id of this machine for Google Analytics is made at the first import."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "NNCF_CI")}
    script = "from tasks.inference.openvino import import_openvino; import_openvino()"
    subprocess.run([sys.executable, "-c", script], check=True, env=environment | {"HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@needs_openvino
@pytest.mark.parametrize("broken", ["openvino_model.xml", "openvino_model.bin"])
def test_a_damaged_model_is_refused(int8: Path, tmp_path: Path, broken: str) -> None:
    shutil.copytree(int8, tmp_path / "model")
    (tmp_path / "model" / broken).write_bytes(b"")
    with pytest.raises(ArtifactError, match="Quantize the model again"):
        open_runner(tmp_path / "model")


@needs_openvino
def test_no_texts_are_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no texts"):
        write_openvino_int8(made.graph, [], tmp_path)
