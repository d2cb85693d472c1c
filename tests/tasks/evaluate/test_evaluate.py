from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ArtifactError, DataError
from tasks.evaluate.config import EvaluateConfig
from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.metrics import Answers
from tasks.evaluate.plots import averaged_roc, confusion_shares
from tasks.labelled_text.dataset import load_split
from tasks.results.values import EvaluationReport, read_report
from tests.tasks.encoder.tiny_encoder import write_dataset

MODELS = {"tfidf": 1.0, "teacher": 3.0, "student": 2.5, "onnx": 2.5, "onnx_int8": 2.4, "released": 2.4}
PLOTS = ("confusion.png", "roc.png", "reliability.png", "confidence.png")


def write_predictions(root: Path, dataset: Path, classes: int) -> dict[str, Path]:
    """Logits that favour the true class by a model's strength."""
    labels = load_split(dataset, "test").labels
    folders = {}
    for i, (name, strength) in enumerate(MODELS.items()):
        folders[name] = root / name
        folders[name].mkdir(parents=True)
        noise = np.random.default_rng(i).normal(size=(len(labels), classes))
        np.save(
            folders[name] / "test_logits.npy", (noise + strength * np.eye(classes)[labels]).astype(np.float32)
        )
    return folders


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset", rows=200)


@pytest.fixture(scope="module")
def predictions(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_predictions(tmp_path_factory.mktemp("predictions"), dataset, 4)


def test_every_model_is_scored_and_drawn(dataset: Path, predictions: dict[str, Path], tmp_path: Path) -> None:
    metrics = evaluate(EvaluateConfig(confusions=3), predictions, dataset, tmp_path)
    report = read_report(tmp_path, EvaluationReport)
    assert [model.name for model in report.models] == list(MODELS)
    assert metrics["released_accuracy"] == report.scores("released").accuracy
    assert report.scores("teacher").accuracy > report.scores("tfidf").accuracy
    assert sum(row.support for row in report.per_class) == report.test_rows == 100
    assert len(report.confusions) == 3
    assert "NaN" not in (tmp_path / "report.json").read_text()
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in PLOTS)


def test_the_same_predictions_give_the_same_bytes(
    dataset: Path, predictions: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        evaluate(EvaluateConfig(), predictions, dataset, tmp_path / name)
    for name in (*PLOTS, "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_data_without_an_out_of_scope_label_is_evaluated(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", out_of_scope=False)
    metrics = evaluate(EvaluateConfig(), write_predictions(tmp_path / "p", dataset, 3), dataset, tmp_path)
    assert "released_out_of_scope_recall" not in metrics
    assert read_report(tmp_path, EvaluationReport).scores("released").in_scope_accuracy is None


def with_test_rows(folder: Path, labels: list[str]) -> Path:
    write_dataset(folder)
    rows = {"text": [f"text {i}" for i in range(len(labels))], "label": labels, "weight": [1.0] * len(labels)}
    pq.write_table(pa.table(rows), folder / "data" / "test-00000-of-00001.parquet")
    return folder


def test_a_class_missing_in_the_test_split_is_no_error(tmp_path: Path) -> None:
    dataset = with_test_rows(tmp_path / "dataset", ["balance", "travel"] * 10)
    evaluate(EvaluateConfig(), write_predictions(tmp_path / "p", dataset, 4), dataset, tmp_path)
    report = read_report(tmp_path, EvaluationReport)
    assert report.scores("released").out_of_scope_recall is None
    assert [row.support for row in report.per_class] == [10, 10, 0, 0]


def test_a_test_split_of_one_class_is_an_error_that_names_it(tmp_path: Path) -> None:
    dataset = with_test_rows(tmp_path / "dataset", ["travel"] * 5)
    with pytest.raises(DataError, match=r"5 test rows are of 1 class \('travel'\)"):
        evaluate(EvaluateConfig(), write_predictions(tmp_path / "p", dataset, 4), dataset, tmp_path)


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        (np.zeros((99, 4), np.float32), "has shape"),
        (np.zeros((100, 3), np.float32), "has shape"),
        (np.full((100, 4), np.nan, np.float32), "NaN or infinity in 100 rows"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(
    dataset: Path, predictions: dict[str, Path], tmp_path: Path, logits: np.ndarray, said: str
) -> None:
    np.save(tmp_path / "test_logits.npy", logits)
    with pytest.raises(ArtifactError, match=said):
        evaluate(EvaluateConfig(), predictions | {"student": tmp_path}, dataset, tmp_path)


def test_missing_predictions_are_named(dataset: Path, predictions: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"test_logits\.npy cannot be read"):
        evaluate(EvaluateConfig(), predictions | {"onnx": tmp_path}, dataset, tmp_path)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 8))
def test_shares_of_a_class_sum_to_one(seed: int, most: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.arange(40) % 8
    answers = Answers(random.normal(size=(40, 8)), labels)
    shares, shown = confusion_shares(answers, 8, most)
    assert len(shown) == min(most, 8)
    assert list(shown) == sorted(shown)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_perfect_answers_have_an_area_of_one(average: str) -> None:
    hits, area = averaged_roc(Answers(10 * np.eye(5), np.arange(5)), average)
    assert area == 1.0
    assert np.all(hits == 1.0)
