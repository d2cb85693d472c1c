import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from infra.errors import ArtifactError
from tasks.compression.quantization.torch_dynamic import quantize_checkpoint, to_torch_int8
from tasks.formats.checkpoint import load_info
from tasks.formats.model_files import inference_bytes, inference_files
from tasks.formats.model_folder import kind_of
from tasks.inference.pytorch import PytorchRunner
from tasks.inference.pytorch_int8 import PytorchInt8Runner, load_int8, quantized_tensors
from tasks.inference.runner import open_runner
from tasks.models.model import SentenceClassifier
from tests.tasks.compression.quantization.conftest import Made

pytestmark = pytest.mark.slow

TEXTS = ["what is my balance", "rain", "tell me about the storm please"]


@pytest.fixture(scope="module")
def int8(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torch_int8")
    metrics = quantize_checkpoint(made.checkpoint, folder, embeddings=True)
    assert metrics == {"size_mb": inference_bytes(folder) / 1e6}
    return folder


def test_what_is_read_back_answers_as_what_was_quantized(made: Made, int8: Path) -> None:
    model = to_torch_int8(SentenceClassifier.load(made.checkpoint), embeddings=True)
    ids, mask = torch.tensor([[2, 9, 23, 3]]), torch.ones((1, 4), dtype=torch.int64)
    with torch.inference_mode():
        assert torch.equal(load_int8(int8)(ids, mask).logits, model(ids, mask).logits)


def test_a_layer_computes_with_the_stored_integers(int8: Path) -> None:
    tensors, head = load_file(int8 / "int8.safetensors"), load_int8(int8).head
    weight = tensors["head.weight"].double() * tensors["head.scale"].unsqueeze(1)
    values = torch.randn((5, 32), generator=torch.Generator().manual_seed(0))
    low, high = values.min().item(), values.max().item()
    # What goes in has 255 steps, of 127 for each side as fbgemm leaves a bit, over the range of the call.
    expected = values.double() @ weight.T + tensors["head.bias"].double()
    step = (high - low) / 127
    with torch.inference_mode():
        found = head(values)
    assert (found - expected).abs().max() < step / 2 * weight.abs().sum(dim=1).max()
    assert tensors["head.weight"].dtype == torch.int8
    assert (tensors["head.zero_point"] == 0).all()
    assert tensors["head.weight"].abs().max() >= 127


def test_a_table_has_a_scale_and_a_zero_point_for_each_row(made: Made, int8: Path) -> None:
    name = "body.embeddings.word_embeddings"
    tensors = load_file(int8 / "int8.safetensors")
    stored = tensors[f"{name}.weight"].float() - tensors[f"{name}.zero_point"].unsqueeze(1)
    rows = stored * tensors[f"{name}.scale"].unsqueeze(1)
    exact = SentenceClassifier.load(made.checkpoint).body.get_parameter("embeddings.word_embeddings.weight")
    assert ((rows - exact).abs() <= tensors[f"{name}.scale"].unsqueeze(1) * 0.51).all()
    table = load_int8(int8).body.get_submodule("embeddings.word_embeddings")
    assert torch.allclose(table(torch.arange(5)), rows[:5], atol=1e-6)


def test_it_runs_behind_the_same_interface(made: Made, int8: Path) -> None:
    assert kind_of(int8) == "pytorch_int8"
    runner = open_runner(int8, threads=1)
    assert isinstance(runner, PytorchInt8Runner)
    assert runner.labels == load_info(made.checkpoint).labels
    assert (runner.ruled, runner.rule, runner.rows_independent) == (False, None, False)
    found, exact = runner.logits(TEXTS), PytorchRunner(made.checkpoint, threads=1).logits(TEXTS)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.2 * np.ptp(exact)


def test_its_size_is_that_of_what_inference_needs(made: Made, int8: Path, tmp_path: Path) -> None:
    names = {path.name for path in inference_files(int8)}
    assert names == {
        "int8.safetensors",
        "config.json",
        "classifier.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    weights = [
        path / name for path, name in ((int8, "int8.safetensors"), (made.checkpoint, "model.safetensors"))
    ]
    assert weights[0].stat().st_size < 0.5 * weights[1].stat().st_size
    quantize_checkpoint(made.checkpoint, tmp_path, embeddings=False)
    assert inference_bytes(int8) < inference_bytes(tmp_path)
    assert (
        load_file(tmp_path / "int8.safetensors")["body.embeddings.word_embeddings.weight"].dtype
        == torch.float32
    )


def test_the_same_checkpoint_gives_the_same_bytes(made: Made, int8: Path, tmp_path: Path) -> None:
    quantize_checkpoint(made.checkpoint, tmp_path, embeddings=True)
    for path in int8.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("broken", ["int8.safetensors", "config.json", "classifier.json"])
def test_a_damaged_file_is_refused(int8: Path, tmp_path: Path, broken: str) -> None:
    shutil.copytree(int8, tmp_path / "model")
    (tmp_path / "model" / broken).write_bytes(b"{")
    with pytest.raises(ArtifactError, match=r"again"):
        open_runner(tmp_path / "model")


def test_weights_of_another_model_are_refused(int8: Path, tmp_path: Path) -> None:
    shutil.copytree(int8, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 2}))
    with pytest.raises(ArtifactError, match="configuration of one model"):
        open_runner(tmp_path / "model")


@pytest.mark.filterwarnings("error")
def test_what_pytorch_says_of_its_own_future_is_not_said_again(made: Made) -> None:
    with quantized_tensors():
        to_torch_int8(SentenceClassifier.load(made.checkpoint), embeddings=True)
