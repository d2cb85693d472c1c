import json
from pathlib import Path

import numpy as np
import pytest

from tasks.decision.rule import NEVER
from tasks.formats.dataset import load_info, load_split
from tasks.formats.model_folder import kind_of
from tasks.inference.onnx import open_session
from tasks.inference.runner import open_runner
from tasks.metrics.in_scope import in_scope_accuracy
from tests.benchmarks.contenders import make_int8
from tests.benchmarks.frozen import FrozenConfig, Head, embed, fit_frozen, fit_head
from tests.benchmarks.settings import read_settings
from tests.benchmarks.test_encoders import word_encoder
from tests.tasks.models.tiny_encoder import COMMON, ODD, WORDS, write_dataset

CONFIG = FrozenConfig(max_length=16)
KNOWN = [*COMMON, *ODD, *(word for words in WORDS.values() for word in words)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset", rows=200)


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = np.random.default_rng(0).normal(size=(len(KNOWN), 24)).astype(np.float32)
    made = tmp_path_factory.mktemp("frozen")
    fit_frozen(CONFIG, word_encoder(KNOWN, table), dataset, made)
    return made


def test_it_is_an_onnx_model_with_a_rule_that_answers_texts(dataset: Path, folder: Path) -> None:
    runner, test = open_runner(folder, threads=1), load_split(dataset, "test")
    answers = np.concatenate([runner.logits([text]) for text in test.texts]).argmax(axis=1)
    assert kind_of(folder) == "onnx"
    assert runner.rule is not None
    assert (answers == test.labels).mean() > 0.8
    assert np.isfinite(runner.logits(["", "nothing known here"])).all()
    assert json.loads((folder / "config.json").read_text())["max_length"] == 16


def test_the_strength_that_validation_likes_best_is_said(folder: Path) -> None:
    assert read_settings(folder)["C"] in CONFIG.strengths


def test_data_without_an_out_of_scope_label_needs_no_rule(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", rows=60, out_of_scope=False)
    (folder := tmp_path / "frozen").mkdir()
    table = np.eye(len(KNOWN), dtype=np.float32)
    metrics = fit_frozen(CONFIG, word_encoder(KNOWN, table), dataset, folder)
    assert open_runner(folder, threads=1).rule is None
    assert metrics["validation_accuracy"] > 0.9


def test_in_int8_it_is_smaller_and_answers_alike(dataset: Path, folder: Path, tmp_path: Path) -> None:
    make_int8(folder, dataset, tmp_path, None)
    texts = load_split(dataset, "test").texts
    answers, expected = (
        np.concatenate([open_runner(made, threads=1).logits([text]) for text in texts[:40]])
        for made in (tmp_path, folder)
    )
    assert (answers.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_a_batch_gives_each_text_the_vector_that_it_has_alone(folder: Path) -> None:
    texts = ["show me the rain", "ticket", "what is my balance please", ""]
    name = open_session(folder, 1, False).get_outputs()[0].name
    together = embed(folder, name, texts)
    alone = np.concatenate([embed(folder, name, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_a_class_without_training_rows_never_wins() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    head = fit_head(vectors, np.array([0, 2] * 10), classes=3, strength=1.0)
    assert (head.weight.shape, head.bias.shape) == ((4, 3), (3,))
    assert head.bias[1] == NEVER
    assert not head.weight[:, 1].any()


def test_rows_out_of_scope_and_their_class_have_no_part_in_choosing(dataset: Path) -> None:
    split, info = load_split(dataset, "validation"), load_info(dataset)
    rows = len(split.labels)
    wanted = np.eye(len(info.labels), dtype=np.float32)[split.labels]
    wanted[:, info.out_of_scope_id] = 2  # the highest of each row
    head = Head(np.eye(len(info.labels), dtype=np.float32), np.zeros(len(info.labels), dtype=np.float32))
    assert in_scope_accuracy(head.logits(wanted), split.labels, info.out_of_scope_id) == 1
    assert in_scope_accuracy(head.logits(wanted[np.arange(rows) - 1]), split.labels, info.out_of_scope_id) < 1
