import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from infra.errors import ArtifactError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_baseline
from tasks.compression.export.rule_nodes import set_rule
from tasks.compression.quantization.torch_dynamic import quantize_checkpoint
from tasks.decision.rule import apply_rule
from tasks.formats.model_files import inference_bytes, inference_files
from tasks.formats.model_folder import kind_of
from tasks.formats.out_of_scope import OutOfScopeRule, Score
from tasks.inference.runner import open_runner
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher
from tests.tasks.serving.release.tiny_release import LABELS, make_onnx_artifact


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    (root / "tfidf").mkdir()
    fit_baseline(BaselineConfig(), write_dataset(root / "dataset"), root / "tfidf")
    made = {
        "tfidf": root / "tfidf",
        "pytorch": write_teacher(root / "pytorch"),
        "onnx": make_onnx_artifact(root / "onnx"),
    }
    (root / "pytorch_int8").mkdir()
    quantize_checkpoint(made["pytorch"], root / "pytorch_int8", embeddings=True)
    made["pytorch_int8"] = root / "pytorch_int8"
    release = root / "release"
    (release / "onnx").mkdir(parents=True)
    shutil.copy(made["onnx"] / "model.onnx", release / "onnx" / "model_quantized.onnx")
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(made["onnx"] / name, release / name)
    return made | {"release": release}


@pytest.mark.parametrize("name", ["tfidf", "pytorch", "pytorch_int8", "onnx", "release"])
def test_every_form_answers_texts_with_logits(folders: dict[str, Path], name: str) -> None:
    runner = open_runner(folders[name], threads=1)
    logits = runner.logits(["pin account", "my money please", "x"])
    assert logits.shape == (3, len(runner.labels))
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert any(char.isdigit() for char in runner.runtime)


@pytest.mark.parametrize("score", ["energy", "log_odds", "confidence"])
def test_a_graph_tells_its_own_logits_beside_those_it_is_served_with(score: Score, tmp_path: Path) -> None:
    rule = OutOfScopeRule(label="oos", score=score, threshold=1.5, expected_share=0.2)
    plain = open_runner(make_onnx_artifact(tmp_path / "plain"), threads=1)
    graph = onnx.load(make_onnx_artifact(tmp_path / "ruled", rule) / "model.onnx")
    set_rule(graph, rule, len(LABELS) - 1, temperature=1.7)
    onnx.save(graph, tmp_path / "ruled" / "model.onnx")
    ruled = open_runner(tmp_path / "ruled", threads=1)
    for text in ("pin account", "move money please", "x"):
        own = plain.logits([text])
        assert all(np.array_equal(told, own) for told in plain.logits_and_own([text]))
        served, told = ruled.logits_and_own([text])
        assert np.array_equal(served, ruled.logits([text]))
        assert np.array_equal(told, own) and not np.array_equal(served, own)


def test_a_baseline_tells_its_own_logits_too(folders: dict[str, Path]) -> None:
    runner = open_runner(folders["tfidf"])
    served, own = runner.logits_and_own(["pin account", "x"])
    assert np.array_equal(served, apply_rule(own, runner.rule, runner.labels.index("oos")))


@pytest.mark.parametrize("name", ["tfidf", "pytorch"])
def test_rows_said_to_be_independent_are(folders: dict[str, Path], name: str) -> None:
    runner = open_runner(folders[name], threads=1)
    texts = ["what is my balance", "flight", "tell me about the storm please in paris"]
    alone = np.concatenate([runner.logits([text]) for text in texts])
    np.testing.assert_allclose(runner.logits(texts), alone, atol=1e-4)


def test_a_release_and_the_artifact_it_is_made_of_answer_alike(folders: dict[str, Path]) -> None:
    one, other = (open_runner(folders[name], threads=1, spinning=False) for name in ("onnx", "release"))
    assert one.labels == other.labels == LABELS
    assert np.array_equal(one.logits(["move money"]), other.logits(["move money"]))


def test_size_counts_what_inference_needs_and_nothing_else(folders: dict[str, Path]) -> None:
    release = folders["release"]
    before = inference_bytes(release)
    assert {path.name for path in inference_files(release)} == {
        "model_quantized.onnx",
        "config.json",
        "tokenizer.json",
    }
    (release / "README.md").write_text("a card")
    (release / "record.json").write_text("{}")
    assert inference_bytes(release) == before
    names = {str(path.relative_to(folders["pytorch"])) for path in inference_files(folders["pytorch"])}
    assert {
        "model.safetensors",
        "tokenizer.json",
        "config.json",
        "classifier.json",
        "3_Dense/model.safetensors",
    } <= names


def test_weights_outside_of_the_graph_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["onnx"], tmp_path / "onnx")
    (tmp_path / "onnx" / "model.onnx.data").write_bytes(b"weights")
    with pytest.raises(ArtifactError, match="one self-contained"):
        inference_files(tmp_path / "onnx")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no model"):
        kind_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("tfidf", "model.safetensors", b"no tensors"),
        ("tfidf", "vocabulary.json", b'{"words": ["one"], "characters": ["ab"]}'),
        ("tfidf", "baseline.json", b"{}"),
        ("onnx", "model.onnx", b"no graph"),
        ("onnx", "tokenizer.json", b"{}"),
        ("onnx", "config.json", b"{}"),
        ("onnx", "config.json", b'{"id2label": {"0": "a"}, "out_of_scope": {"label": "oos"}}'),
        ("pytorch", "model.safetensors", b"no tensors"),
        ("pytorch", "classifier.json", b"{}"),
    ],
)
def test_a_damaged_file_is_named(
    folders: dict[str, Path], tmp_path: Path, name: str, file: str, content: bytes
) -> None:
    shutil.copytree(folders[name], tmp_path / name)
    (tmp_path / name / file).write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        open_runner(tmp_path / name)


def test_a_tokenizer_that_does_not_pad_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    shutil.copytree(folders["onnx"], tmp_path / "onnx")
    path = str(tmp_path / "onnx" / "tokenizer.json")
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.save(path)
    with pytest.raises(ArtifactError, match="no padding"):
        open_runner(tmp_path / "onnx")
