from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from infra.errors import DataError
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.export.folder import read_model
from tasks.compression.quantization.affine import fit_affine
from tasks.compression.quantization.answers import divergence, graph_logits
from tasks.compression.quantization.config import QatConfig, QuantizationConfig
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.layers import find_layers
from tasks.compression.quantization.self_distillation import Texts, train_for_int8
from tasks.formats.dataset import load_split
from tests.tasks.compression.quantization.conftest import Made
from tests.tasks.compression.quantization.one_layer import tensors

pytestmark = pytest.mark.slow

LOOP = QatConfig(epochs=8, batch_size=8, learning_rate=5e-5, mixed_precision="no", patience=8)
CONFIG = QuantizationConfig(method="qat", qat=LOOP)


@pytest.fixture(scope="module")
def texts(made: Made) -> Texts:
    return Texts(made.texts, load_split(made.dataset, "validation").texts)


@pytest.fixture(scope="module")
def trained(
    made: Made, texts: Texts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, float]]]:
    root, logged = tmp_path_factory.mktemp("qat"), []

    def log(metrics: Mapping[str, float], step: int) -> None:
        logged.append({"step": step, **metrics})

    (root / "out").mkdir()
    train_for_int8(CONFIG, made.checkpoint, texts, root / "out", root / "work", log)
    return root, logged


def test_the_answers_of_int8_come_nearer_to_those_of_float32(
    trained: tuple[Path, list[dict[str, float]]],
) -> None:
    kl = [metrics["validation_kl"] for metrics in trained[1] if "validation_kl" in metrics]
    assert len(kl) == 9  # before training, and after each epoch
    assert min(kl) < 0.7 * kl[0]  # 0.55 of it, or 0.56 with another seed


def test_exported_and_quantized_it_loses_less_of_its_own_answers(
    made: Made, trained: tuple[Path, list[dict[str, float]]], tmp_path: Path
) -> None:
    export_onnx(CompressConfig(), trained[0] / "out", made.dataset, tmp_path)
    converted, _ = read_model(tmp_path)
    int8 = to_dynamic_int8(converted, embeddings=True)
    before, after, values = tensors(converted), tensors(int8), 0
    for layer in find_layers(converted.graph):
        values += after[f"{layer.weight}_quantized"].size
        if "position" in layer.weight:  # cut by the export, it has a grid of its own again
            continue
        weight = before[layer.weight]
        table = layer.activation is None
        axis = None if table else 0 if layer.operator == "Gemm" else 1
        np.testing.assert_allclose(fit_affine(weight, not table, axis).round_trip(weight), weight, atol=1e-5)
    assert values == sum(layer.parameters for layer in find_layers(converted.graph))
    plain = divergence(
        graph_logits(made.graph, made.feeds), graph_logits(to_dynamic_int8(made.graph, True), made.feeds)
    )
    learned = divergence(graph_logits(converted, made.feeds), graph_logits(int8, made.feeds))
    assert learned.kl < plain.kl  # 0.0002 to 0.0005 by seed and rate, of 0.0009


def test_the_same_texts_give_the_same_bytes(
    made: Made, texts: Texts, trained: tuple[Path, list[dict[str, float]]], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    train_for_int8(
        CONFIG, made.checkpoint, texts, tmp_path / "out", tmp_path / "work", lambda metrics, step: None
    )
    name = "model.safetensors"
    assert (tmp_path / "out" / name).read_bytes() == (trained[0] / "out" / name).read_bytes()


def test_nothing_to_train_on_is_refused(made: Made, texts: Texts, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows to train on"):
        train_for_int8(
            CONFIG, made.checkpoint, Texts([], texts.validation), tmp_path, tmp_path / "work", print
        )
