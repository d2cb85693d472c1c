"""Probes and fine-tuning of tiny encoders: what is chosen, what is written, what a kill leaves, what is recommended."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from infra.errors import ArtifactError, DataError
from tasks.evaluation.encoders.compare import compare_encoders
from tasks.evaluation.encoders.config import CompareEncodersConfig, FineTuneConfig, ProbeConfig
from tasks.evaluation.encoders.fine_tune import fine_tune_encoder
from tasks.evaluation.encoders.probe import choose, probe_encoder
from tasks.evaluation.encoders.section import comparison_section
from tasks.evaluation.encoders.vectors import layer_vectors
from tasks.formats.encoder_comparison import read_comparison
from tasks.formats.encoder_scores import (
    EncoderReport,
    EncoderScores,
    ScoredClassifier,
    read_scores,
    write_scores,
)
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import write_base, write_dataset

TEXTS = ["show my balance", "rain", "what is the hotel please tell me"]
EXACT = ProbeConfig(mixed_precision="no")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("rows") / "dataset", 120)


def test_the_last_layers_mean_is_the_vector_of_the_classifier(base: Path) -> None:
    found = layer_vectors(base, TEXTS, EXACT)
    assert list(found) == [
        f"layer {number}, {pooling}" for number in range(4) for pooling in ("mean", "first")
    ]
    own = answer_texts(SentenceClassifier.from_base(base, 2), load_tokenizer(base), TEXTS, 32).vectors
    np.testing.assert_allclose(found["layer 3, mean"], own, atol=1e-6)


def test_a_prompt_is_whole_behind_a_text_that_is_cut_and_its_own_gap_is_read(base: Path) -> None:
    texts = ["show [MASK] balance " * 10, "rain"]
    asked = EXACT.model_copy(update={"prompt": "it is [MASK] please", "max_length": 16})
    found = layer_vectors(base, texts, asked)
    tokenizer, body = load_tokenizer(base), SentenceClassifier.from_base(base, 2).body
    pair = tokenizer(
        texts[0], "it is [MASK] please", truncation="only_first", max_length=16, return_tensors="pt"
    )
    (place,) = [
        number for number, token in enumerate(pair["input_ids"][0]) if token == tokenizer.mask_token_id
    ][-1:]
    assert place == 13  # it, is, the gap, please, [SEP] end the 16
    with torch.no_grad():
        wanted = body(pair["input_ids"]).last_hidden_state[0, place]
    np.testing.assert_allclose(
        found["layer 3, gap"][0], torch.nn.functional.normalize(wanted, dim=-1), atol=1e-5
    )


@pytest.mark.parametrize("kinds", [2, 3])
def test_the_choice_is_the_best_when_each_row_is_left_out_once(kinds: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % kinds
    gains = {"poor": 0.1, "good": 2.0, "fair": 0.4}
    vectors = {name: rng.normal(size=(60, 5)) + gain * np.eye(5)[labels] for name, gain in gains.items()}
    fitted = choose(vectors, labels)
    assert fitted.choice == "good"
    plain = Ridge(alpha=fitted.classifier.alpha_)
    sides = np.where(labels[:, None] == np.arange(kinds)[1 if kinds == 2 else 0 :], 1.0, -1.0)
    left_out = cross_val_predict(plain, vectors["good"], sides, cv=LeaveOneOut())
    error = np.mean((left_out.reshape(sides.shape) - sides) ** 2)
    assert -fitted.score == pytest.approx(error, rel=0.05)  # the closed form centres all rows once


def test_probes_are_the_same_again_and_learn_from_more_labels(
    base: Path, dataset: Path, tmp_path: Path
) -> None:
    asked = ProbeConfig(labels=(8, 80), seeds=2, test_rows=40, mixed_precision="no")
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        metrics = probe_encoder(asked, base, dataset, folder)
    first, second = (read_scores(folder) for folder in folders)
    assert first.report == second.report
    assert np.array_equal(first.right, second.right)
    assert first.right.shape == (4, 40)
    assert [one.accuracy for one in first.report.classifiers] == pytest.approx(first.right.mean(axis=1))
    assert metrics["accuracy_80"] > metrics["accuracy_8"]


def test_a_single_label_is_refused(base: Path, tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset")
    file = dataset / "data" / "train-00000-of-00001.parquet"
    rows = pq.read_table(file)
    pq.write_table(rows.filter(pc.field("label") == "weather"), file)
    with pytest.raises(DataError, match=r"has 1 label\(s\): expected at least two"):
        probe_encoder(EXACT, base, dataset, tmp_path)


@pytest.mark.slow
def test_fine_tuning_goes_on_after_a_kill_without_training_again(
    base: Path, dataset: Path, tmp_path: Path
) -> None:
    asked = FineTuneConfig(
        labels=(20, 60), seeds=1, test_rows=40, epochs=2, learning_rate=3e-3, mixed_precision="no"
    )
    whole, cut, work = (tmp_path / name for name in ("whole", "cut", "work"))
    for folder in (whole, cut, work):
        folder.mkdir()
    metrics = fine_tune_encoder(asked, base, dataset, whole, tmp_path / "fresh")
    assert fine_tune_encoder(asked.model_copy(update={"labels": (20,)}), base, dataset, cut, work)
    before = (work / "20-0" / "scores" / "report.json").stat().st_mtime_ns
    again = fine_tune_encoder(asked, base, dataset, cut, work)
    assert again == metrics
    assert (work / "20-0" / "scores" / "report.json").stat().st_mtime_ns == before
    assert np.array_equal(read_scores(whole).right, read_scores(cut).right)


def written(folder: Path, right: np.ndarray, *labels: int) -> Path:
    """Scores of each number of labels, 100 when none is given, the same for each."""
    folder.mkdir()
    sizes = labels or (100,)
    classifiers = tuple(
        ScoredClassifier(labels=size, seed=seed, accuracy=row.mean(), choice="layer 1, mean")
        for size in sizes
        for seed, row in enumerate(right)
    )
    report = EncoderReport(test_rows=right.shape[1], classes=2, classifiers=classifiers)
    write_scores(folder, EncoderScores(report, np.tile(right, (len(sizes), 1))))
    return folder


def test_what_is_better_for_sure_is_recommended_and_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    plain, same, better = (rng.random((5, 400)) < share for share in (0.6, 0.61, 0.8))
    scores = {
        name: written(tmp_path / name, right)
        for name, right in (("plain", plain), ("same", same), ("better", better))
    }
    (tmp_path / "all").mkdir()
    compare_encoders(CompareEncodersConfig(), scores, tmp_path / "all")
    found = read_comparison(tmp_path / "all")
    assert [(one.labels, one.take) for one in found.recommended] == [(100, "better")]
    (tmp_path / "few").mkdir()
    compare_encoders(
        CompareEncodersConfig(), {name: scores[name] for name in ("plain", "same")}, tmp_path / "few"
    )
    (taken,) = read_comparison(tmp_path / "few").recommended
    assert taken.take == "plain"
    assert "none is better for sure; the next, same, has" in taken.because
    section = comparison_section(tmp_path / "all")
    assert "better" in str(section.tables[1].rows[1]["100"])


def test_accuracies_are_drawn_below_the_tables_where_there_are_several_numbers_of_labels(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    right = {name: rng.random((3, 100)) < 0.6 for name in ("plain", "<i>adapted</i>")}
    for folder, labels in (("one", (100,)), ("several", (8, 100, 2_000))):
        (tmp_path / folder).mkdir()
        scores = {
            name: written(tmp_path / folder / str(place), rows, *labels)
            for place, (name, rows) in enumerate(right.items())
        }
        compare_encoders(CompareEncodersConfig(), scores, tmp_path / folder)
    one, several = (comparison_section(tmp_path / folder) for folder in ("one", "several"))
    assert one.figures == () and len(one.notes) == 1
    (figure,) = several.figures
    assert not figure.small and "2,000" in figure.svg and "<i>" not in figure.svg
    assert "the band of plain (dashed)" in several.notes[1]


def test_more_rivals_need_wider_intervals(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = {str(number): written(tmp_path / str(number), rng.random((5, 200)) < 0.6) for number in range(4)}
    widths = []
    for count in (2, 4):
        folder = tmp_path / f"of {count}"
        folder.mkdir()
        compare_encoders(CompareEncodersConfig(), dict([*scores.items()][:count]), folder)
        low, high = read_comparison(folder).encoders[1].interval
        widths.append(high - low)
    assert widths[0] < widths[1]


def test_scores_of_other_rows_are_refused(tmp_path: Path) -> None:
    right = np.ones((2, 50), dtype=bool)
    scores = {
        "plain": written(tmp_path / "plain", right),
        "other": written(tmp_path / "other", right, 8),
    }
    with pytest.raises(ArtifactError, match="the scores of other are of other rows than those of plain"):
        compare_encoders(CompareEncodersConfig(), scores, tmp_path)
