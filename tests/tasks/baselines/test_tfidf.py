import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from infra.errors import DataError
from tasks.baselines.config import BaselineConfig
from tasks.baselines.tfidf import NEVER, fit_baseline, fit_classifier
from tasks.formats.dataset import Split, load_info, load_split
from tasks.inference.runner import open_runner
from tests.tasks.models.tiny_encoder import OUT_OF_SCOPE, write_dataset

FILES = ("baseline.json", "model.safetensors", "vocabulary.json")


def split_of(texts: list[str], labels: list[int]) -> Split:
    return Split(texts, np.array(labels))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "dataset", rows=80)


@pytest.fixture(scope="module")
def baseline(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    fit_baseline(BaselineConfig(), dataset, folder)
    return folder


def test_it_learns_labels_and_what_is_out_of_scope(dataset: Path, baseline: Path) -> None:
    runner, test = open_runner(baseline), load_split(dataset, "test")
    answers = runner.logits(test.texts).argmax(axis=1)
    outside = test.labels == runner.labels.index(OUT_OF_SCOPE)
    assert (answers == test.labels).mean() > 0.9
    assert (answers == test.labels)[outside].mean() > 0.8


def test_same_seed_gives_the_same_bytes(dataset: Path, baseline: Path, tmp_path: Path) -> None:
    fit_baseline(BaselineConfig(), dataset, tmp_path)
    assert all((tmp_path / name).read_bytes() == (baseline / name).read_bytes() for name in FILES)


def test_files_are_data_and_not_code(baseline: Path) -> None:
    assert sorted(path.name for path in baseline.iterdir()) == sorted(FILES)


def test_a_saved_model_answers_as_the_fitted_one(dataset: Path, baseline: Path) -> None:
    train, test = load_split(dataset, "train"), load_split(dataset, "test")
    fitted = fit_classifier(BaselineConfig(), train, len(open_runner(baseline).labels))
    in_scope = [i for i, name in enumerate(open_runner(baseline).labels) if name != OUT_OF_SCOPE]
    np.testing.assert_allclose(
        open_runner(baseline).logits(test.texts)[:, in_scope],
        fitted.logits(test.texts)[:, in_scope],
        rtol=1e-5,
    )


def test_words_of_one_letter_and_other_scripts_are_terms() -> None:
    train = split_of(["i pay", "вы платите", "i go", "они идут"], [0, 1, 0, 1])
    model = fit_classifier(BaselineConfig(), train, 2)
    words = dict(model.features.transformer_list)["words"].get_feature_names_out()
    assert {"i", "вы", "i pay"} <= set(words)


def test_two_classes_have_a_column_each() -> None:
    train = split_of(["good film", "bad film", "good play", "bad play"], [1, 0, 1, 0])
    logits = fit_classifier(BaselineConfig(), train, 2).logits(["good", "bad", "nothing of this"])
    assert logits.shape == (3, 2)
    assert list(logits.argmax(axis=1)[:2]) == [1, 0]


def test_a_class_without_training_rows_never_wins() -> None:
    train = split_of(["a cat", "a dog", "two cats", "two dogs"], [0, 2, 0, 2])
    logits = fit_classifier(BaselineConfig(), train, 4).logits(["a cat", "something else"])
    assert np.allclose(logits[:, [1, 3]], NEVER)
    assert set(logits.argmax(axis=1)) <= {0, 2}


def test_a_text_is_cut_and_an_empty_one_is_answered() -> None:
    config = BaselineConfig(text_characters=5)
    model = fit_classifier(config, split_of(["aaaaa zzzz", "bbbbb zzzz"], [0, 1]), 2)
    assert np.array_equal(model.logits(["aaaaa zzzz"]), model.logits(["aaaaa and more"]))
    assert np.isfinite(model.logits([""])).all()


def test_one_class_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="rows of 1 class"):
        fit_classifier(BaselineConfig(), split_of(["a b", "c d"], [1, 1]), 2)


def test_no_common_term_is_an_error_that_names_the_field() -> None:
    with pytest.raises(DataError, match=r"baseline\.minimum_rows"):
        fit_classifier(BaselineConfig(minimum_rows=2), split_of(["cat", "dog"], [0, 1]), 2)


@pytest.mark.parametrize("wrong", [{"words": (2, 1)}, {"characters": (0, 3)}, {"inverse_regularization": 0}])
def test_a_config_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BaselineConfig(**wrong)


def test_real_intents_reach_the_known_accuracy(shared_data: Path, tmp_path: Path) -> None:
    """A quarter of CLINC150's intents: enough to tell the strong baseline from a weak one."""
    dataset = some_intents(shared_data / "clinc150" / "small", tmp_path / "dataset", 38)
    (tmp_path / "baseline").mkdir()
    test, info = load_split(dataset, "test"), load_info(dataset)
    share = float((test.labels == info.out_of_scope_id).mean())
    fit_baseline(BaselineConfig(expected_share=share), dataset, tmp_path / "baseline")
    answers = open_runner(tmp_path / "baseline").logits(test.texts).argmax(axis=1)
    assert (answers == test.labels).mean() > 0.87


def some_intents(source: Path, folder: Path, intents: int) -> Path:
    """The first intents by name and all out-of-scope rows."""
    rows = {
        split: [
            json.loads(line)
            for line in gzip.decompress((source / f"{split}.jsonl.gz").read_bytes()).splitlines()
        ]
        for split in ("train", "validation", "test")
    }
    labels = [*sorted({row["intent"] for row in rows["train"]} - {OUT_OF_SCOPE})[:intents], OUT_OF_SCOPE]
    kept = {split: [row for row in found if row["intent"] in labels] for split, found in rows.items()}
    (folder / "data").mkdir(parents=True)
    for split, found in kept.items():
        columns = {"text": [row["text"] for row in found], "label": [row["intent"] for row in found]}
        pq.write_table(pa.table(columns), folder / "data" / f"{split}-00000-of-00001.parquet")
    info = {
        "labels": labels,
        "out_of_scope": OUT_OF_SCOPE,
        "rows": {s: len(found) for s, found in kept.items()},
    }
    (folder / "dataset.json").write_text(json.dumps(info | {"words_p50": 8, "words_p99": 18}))
    return folder
