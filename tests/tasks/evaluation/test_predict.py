import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from infra.errors import ArtifactError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import fit_baseline
from tasks.decision.rule import apply_rule, choose_rule
from tasks.decision.temperature import apply_temperature, choose_temperature
from tasks.evaluation.config import PredictConfig
from tasks.evaluation.predict import predict, validate
from tasks.formats.dataset import load_info, load_split
from tasks.formats.predictions import Decision
from tasks.inference.runner import open_runner
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher
from tests.tasks.serving.release.tiny_release import make_onnx_artifact


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset", rows=80)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("models") / "teacher")


def test_a_pytorch_model_is_ruled_by_validation(dataset: Path, teacher: Path, tmp_path: Path) -> None:
    metrics = predict(PredictConfig(), teacher, dataset, tmp_path)
    info, validation, test = (
        load_info(dataset),
        load_split(dataset, "validation"),
        load_split(dataset, "test"),
    )
    runner = open_runner(teacher)
    raw = {split: runner.logits(rows.texts) for split, rows in (("validation", validation), ("test", test))}
    rule = choose_rule(raw["validation"], validation.labels, info, None)
    ruled = {split: apply_rule(rows, rule, info.out_of_scope_id) for split, rows in raw.items()}
    temperature = choose_temperature(ruled["validation"], validation.labels, info, None)
    assert metrics["temperature"] == pytest.approx(temperature, rel=1e-3)
    expected = apply_temperature(ruled["test"], temperature)
    found = np.load(tmp_path / "test_logits.npy")
    np.testing.assert_allclose(found, expected, atol=1e-3)
    said = Decision.model_validate_json((tmp_path / "decision.json").read_text())
    assert rule is not None and said.rule is not None
    assert said.temperature == metrics["temperature"]
    assert said.rule.threshold == pytest.approx(rule.threshold, abs=1e-3)
    assert metrics["test_accuracy"] == pytest.approx((found.argmax(axis=1) == test.labels).mean())
    assert np.load(tmp_path / "validation_logits.npy").shape == (len(validation), len(info.labels))


def test_the_batch_size_changes_no_answer(dataset: Path, teacher: Path, tmp_path: Path) -> None:
    for size in (1, 7, 64):
        (tmp_path / str(size)).mkdir()
        predict(PredictConfig(batch_size=size), teacher, dataset, tmp_path / str(size))
    one, seven, all_at_once = (np.load(tmp_path / str(size) / "test_logits.npy") for size in (1, 7, 64))
    np.testing.assert_allclose(one, seven, atol=1e-3)
    np.testing.assert_allclose(one, all_at_once, atol=1e-3)


def test_predicting_again_gives_the_same_bytes(dataset: Path, teacher: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        predict(PredictConfig(), teacher, dataset, tmp_path / name)
    for name in ("test_logits.npy", "validation_logits.npy"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_baseline_brings_its_own_rule(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "tfidf").mkdir()
    fit_baseline(BaselineConfig(), dataset, tmp_path / "tfidf")
    metrics = predict(PredictConfig(), tmp_path / "tfidf", dataset, tmp_path)
    assert metrics["test_accuracy"] > 0.9


def relabelled(dataset: Path, folder: Path) -> Path:
    """The data set under the labels of the tiny ONNX model."""
    shutil.copytree(dataset, folder)
    info = json.loads((folder / "dataset.json").read_text()) | {"labels": ["pin_change", "transfer", "oos"]}
    (folder / "dataset.json").write_text(json.dumps(info))
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in (folder / "data").iterdir():
        rows = {
            "text": ["pin", "move money", "money now", "what"],
            "label": ["pin_change", "transfer", "transfer", "oos"],
        }
        pq.write_table(pa.table(rows), path)
    return folder


def test_an_onnx_model_is_asked_one_text_at_a_time(dataset: Path, tmp_path: Path) -> None:
    folder, model = relabelled(dataset, tmp_path / "dataset"), make_onnx_artifact(tmp_path / "onnx")
    metrics = predict(PredictConfig(), model, folder, tmp_path)
    runner = open_runner(model)
    expected = np.concatenate([runner.logits([text]) for text in load_split(folder, "test").texts])
    assert np.array_equal(np.load(tmp_path / "test_logits.npy"), expected)
    assert metrics == {"validation_accuracy": 1.0, "test_accuracy": 1.0, "temperature": 1.0}
    assert json.loads((tmp_path / "decision.json").read_text()) == {"rule": None, "temperature": 1.0}


def test_a_model_of_other_labels_is_refused(dataset: Path, tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "onnx")
    with pytest.raises(ArtifactError, match="3 labels from 'pin_change' on"):
        predict(PredictConfig(), model, dataset, tmp_path)


def test_logits_that_are_not_finite_are_refused(dataset: Path, teacher: Path, tmp_path: Path) -> None:
    shutil.copytree(teacher, tmp_path / "teacher")
    head = tmp_path / "teacher" / "3_Dense" / "model.safetensors"
    tensors = load_file(head)
    tensors["linear.bias"][1] = np.nan
    save_file(tensors, head)
    with pytest.raises(ArtifactError, match="NaN or infinity"):
        predict(PredictConfig(), tmp_path / "teacher", dataset, tmp_path)


def test_validation_alone_counts_out_of_scope_rows_as_expected_in_traffic(
    dataset: Path, teacher: Path, tmp_path: Path
) -> None:
    found = {}
    for share in (0.0, 0.3, 1.0):
        (folder := tmp_path / str(share)).mkdir()
        config = PredictConfig(expected_share=share)
        found[share] = validate(config, teacher, dataset, folder)["validation_accuracy"]
        predict(config, teacher, dataset, folder)
        split, info = load_split(dataset, "validation"), load_info(dataset)
        right = np.load(folder / "validation_logits.npy").argmax(axis=1) == split.labels
        outside = split.labels == info.out_of_scope_id
        expected = share * right[outside].mean() + (1 - share) * right[~outside].mean()
        assert found[share] == pytest.approx(expected)
    assert found[0.0] != found[1.0]


def test_validation_does_not_open_the_test_split(dataset: Path, teacher: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "dataset")
    for path in (tmp_path / "dataset" / "data").glob("test-*"):
        path.unlink()
    (tmp_path / "out").mkdir()
    assert (
        0
        < validate(PredictConfig(), teacher, tmp_path / "dataset", tmp_path / "out")["validation_accuracy"]
        <= 1
    )


def test_validation_of_data_without_an_out_of_scope_label_is_plain_accuracy(tmp_path: Path) -> None:
    plain = write_dataset(tmp_path / "dataset", out_of_scope=False)
    model = write_teacher(tmp_path / "teacher", labels=load_info(plain).labels)
    metrics = validate(PredictConfig(), model, plain, tmp_path)
    (tmp_path / "all").mkdir()
    assert (
        metrics["validation_accuracy"]
        == predict(PredictConfig(), model, plain, tmp_path / "all")["validation_accuracy"]
    )
