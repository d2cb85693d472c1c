import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ArtifactError, DataError
from tasks.decision.rule import apply_rule, choose_rule
from tasks.evaluation.config import EvaluateConfig
from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.plots import averaged_roc, confusion_shares
from tasks.formats.dataset import load_info, load_split
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.report_file import read_report
from tasks.metrics.scores import Answers
from tests.tasks.models.tiny_encoder import write_dataset
from tests.tasks.predicted import write_predicted

MODELS = {"tfidf": 1.0, "teacher": 3.0, "student": 2.5, "onnx": 2.5, "onnx_int8": 2.4, "released": 2.4}
PLOTS = ("confusion.png", "roc.png", "reliability.png", "confidence.png")


def write_predictions(root: Path, dataset: Path, classes: int) -> dict[str, Path]:
    """Logits that favour the true class by a model's strength."""
    folders = {}
    for i, (name, strength) in enumerate(MODELS.items()):
        random = np.random.default_rng(i)

        def logits(labels: np.ndarray, random=random, strength=strength) -> np.ndarray:
            return random.normal(size=(len(labels), classes)) + strength * np.eye(classes)[labels]

        folders[name] = write_predicted(root / name, dataset, logits)
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
    report = read_report(tmp_path, EvaluationReport)
    scores = report.scores("released")
    assert report.shares is None and scores.accuracy_in_scope_ruled is None and scores.auroc is None
    assert (
        scores.accuracy
        == scores.accuracy_validation_share
        == scores.accuracy_argmax
        == scores.accuracy_in_scope
    )


def test_figures_say_what_their_rule_knew_by_plain_formulas(tmp_path: Path) -> None:
    dataset, random = write_dataset(tmp_path / "dataset", rows=400), np.random.default_rng(0)
    info, outside = load_info(dataset), load_info(dataset).out_of_scope_id
    assert outside is not None
    made: list[np.ndarray] = []

    def logits(labels: np.ndarray) -> np.ndarray:
        strength = np.where(labels == outside, 0.5, 2.5)[:, None]  # what is out of scope is hard to tell
        made.append(random.normal(size=(len(labels), 4)) + strength * np.eye(4)[labels])
        return made[-1]

    folders = {"released": write_predicted(tmp_path / "released", dataset, logits, expected_share=0.9)}
    validation, test = (load_split(dataset, name).labels for name in ("validation", "test"))
    own = {name: rows.astype(np.float32) for name, rows in zip(("validation", "test"), made, strict=True)}
    config = EvaluateConfig(expected_share_source="somebody's")
    evaluate(config, folders, dataset, tmp_path)
    report = read_report(tmp_path, EvaluationReport)
    found, shares = report.scores("released"), report.shares
    assert shares is not None
    assert (shares.expected, shares.source) == (0.9, "somebody's")
    assert shares.validation == pytest.approx((validation == outside).mean())
    assert shares.test == pytest.approx((test == outside).mean())

    def accuracy(share: float | None) -> float:
        rule = choose_rule(own["validation"], validation, info, share)
        return float((apply_rule(own["test"], rule, outside).argmax(axis=1) == test).mean())

    assert found.accuracy == accuracy(0.9)
    assert found.accuracy_validation_share == accuracy(None)
    assert found.accuracy_argmax == (own["test"].argmax(axis=1) == test).mean()
    served = test != outside
    assert found.accuracy_in_scope == (own["test"][served, :outside].argmax(axis=1) == test[served]).mean()
    assert len({found.accuracy, found.accuracy_validation_share, found.accuracy_argmax}) == 3


def test_a_declared_share_without_a_source_is_said_to_be_declared(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", rows=200)
    for share, source in ((None, None), (0.5, "as declared")):
        folder = write_predicted(
            tmp_path / str(share), dataset, lambda labels: 3.0 * np.eye(4)[labels], share
        )
        evaluate(EvaluateConfig(), {"released": folder}, dataset, tmp_path)
        shares = read_report(tmp_path, EvaluationReport).shares
        assert shares is not None and shares.source == source


def with_test_rows(folder: Path, labels: list[str]) -> Path:
    write_dataset(folder)
    rows = {"text": [f"text {i}" for i in range(len(labels))], "label": labels}
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
    shutil.copytree(predictions["student"], tmp_path, dirs_exist_ok=True)
    np.save(tmp_path / "test_logits.npy", logits)
    with pytest.raises(ArtifactError, match=said):
        evaluate(EvaluateConfig(), predictions | {"student": tmp_path}, dataset, tmp_path)


def test_missing_predictions_are_named(dataset: Path, predictions: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"validation_logits\.npy cannot be read"):
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
