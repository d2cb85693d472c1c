import sys
from pathlib import Path

import numpy as np
import pytest

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.baselines.config import FastTextConfig
from tasks.baselines.fast_text import fit_classifier, fit_fast_text
from tasks.formats.dataset import Split, load_split
from tasks.formats.model_files import inference_bytes
from tasks.formats.model_folder import kind_of
from tasks.inference.fast_text import NEVER, load_fast_text, plain
from tasks.inference.runner import open_runner
from tests.tasks.models.tiny_encoder import OUT_OF_SCOPE, write_dataset

pytest.importorskip("fasttext", reason="needs the extra `bench`: pip install 'stillhouse[bench]'")

CONFIG = FastTextConfig(dimensions=16, epochs=20, buckets=5_000, kept_rows=300)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset", rows=400)


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fasttext")
    fit_fast_text(CONFIG, dataset, made)
    return made


def test_it_learns_labels_and_what_is_out_of_scope(dataset: Path, folder: Path) -> None:
    runner, test = open_runner(folder), load_split(dataset, "test")
    answers = runner.logits(test.texts).argmax(axis=1)
    outside = test.labels == runner.labels.index(OUT_OF_SCOPE)
    assert kind_of(folder) == "fast_text"
    assert (answers == test.labels).mean() > 0.9
    assert (answers == test.labels)[outside].mean() > 0.8


def test_its_best_label_is_the_librarys_own_answer(dataset: Path, folder: Path) -> None:
    model, _ = load_fast_text(folder)
    for text in load_split(dataset, "test").texts[:40]:
        ((_, label),) = model.model.f.predict(plain(text) + "\n", 1, 0.0, "strict")
        assert label == f"__label__{model.logits([text])[0].argmax()}"


def test_same_seed_gives_the_same_bytes_in_a_process_that_has_worked(
    dataset: Path, folder: Path, tmp_path: Path
) -> None:
    fit_fast_text(CONFIG, dataset, tmp_path)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["fasttext.json", "model.bin", "model.safetensors"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_quantized_form_is_smaller_and_answers_alike(dataset: Path, folder: Path, tmp_path: Path) -> None:
    fit_fast_text(CONFIG.model_copy(update={"quantized": True}), dataset, tmp_path)
    texts = load_split(dataset, "test").texts
    answers = [open_runner(made).logits(texts).argmax(axis=1) for made in (folder, tmp_path)]
    assert (answers[0] == answers[1]).mean() > 0.8
    assert inference_bytes(tmp_path) < inference_bytes(folder) / 4


def test_signs_stand_apart_and_an_empty_text_is_answered(folder: Path) -> None:
    assert plain("What's my PIN?\n") == "what ' s my pin ?"
    assert np.isfinite(open_runner(folder).logits(["", "\n"])).all()


def test_a_class_without_training_rows_never_wins() -> None:
    train = Split(["a cat", "a dog"] * 20, np.array([0, 2] * 20))
    logits = fit_classifier(CONFIG, train, 4).logits(["a cat", "something else"])
    assert (logits[:, [1, 3]] == NEVER).all()
    assert (logits[:, [0, 2]] != NEVER).all()


def test_one_class_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="rows of 1 class"):
        fit_classifier(CONFIG, Split(["a b"], np.array([1])), 2)


def test_an_argument_that_the_library_refuses_is_said_with_its_words(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"refused its arguments \(TypeError: (?s:.*)Correct fast_text"):
        fit_fast_text(CONFIG.model_copy(update={"words": "many"}), dataset, tmp_path)


def test_a_training_that_diverges_is_said_with_its_rate(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"diverged at rate 1e\+30: expected numbers. Lower fast_text.learning_rate"
    ):
        fit_fast_text(CONFIG.model_copy(update={"learning_rate": 1e30}), dataset, tmp_path)


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "fasttext.json"])
def test_a_damaged_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(b"damaged" if path.name == name else path.read_bytes())
    with pytest.raises(ArtifactError, match="is no fastText model that can be read"):
        open_runner(tmp_path)


def test_without_the_library_the_remedy_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(ConfigError, match=r"stillhouse\[bench\]"):
        open_runner(folder)
