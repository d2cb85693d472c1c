"""Fine-tuning at few labels: what the stage `train` makes of the same encoder on slices of the training split."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.evaluation.encoders.config import FineTuneConfig
from tasks.evaluation.encoders.probe import mean_accuracies
from tasks.evaluation.encoders.slices import Slice, read_labelled, slices
from tasks.formats.dataset import DATASET_FILE, DatasetInfo, Split, load_info, write_shards
from tasks.formats.encoder_scores import (
    EncoderReport,
    EncoderScores,
    ScoredClassifier,
    read_scores,
    write_scores,
)
from tasks.formats.value import write_value
from tasks.models.device import accelerated_device
from tasks.models.inference import answer_texts
from tasks.models.loading import load_body, load_tokenizer, longest_row
from tasks.models.model import SentenceClassifier
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.teacher import train_teacher
from tasks.training.precision import autocast
from tasks.training.sizes.config import GivenSizes
from tasks.training.sizes.defaults import plan_sizes

VALIDATION = 5  # one row in so many of a slice


def fine_tune_encoder(
    config: FineTuneConfig, encoder: Path, dataset: Path, output_dir: Path, work_dir: Path
) -> Mapping[str, float]:
    """Write the scores of the fine-tuned encoder for each slice; returns the mean accuracy for each number of labels.

    Called again after a kill, what was trained is not trained again. Raises what `train_teacher` does.
    """
    labelled, info = read_labelled(dataset, config), load_info(dataset)
    scored: list[ScoredClassifier] = []
    right: list[np.ndarray] = []
    for one in slices(labelled.train.labels, config):
        folder = work_dir / f"{one.labels}-{one.seed}"
        done = folder / "scores"
        if not (done / "report.json").is_file():
            scores = _train(config, encoder, labelled.train, labelled.test, info, one, folder)
            done.mkdir(exist_ok=True)
            write_scores(done, scores)
            for made in ("data", "model", "work"):
                shutil.rmtree(folder / made)
        kept = read_scores(done)
        scored += kept.report.classifiers
        right.append(kept.right)
    report = EncoderReport(test_rows=len(labelled.test), classes=labelled.classes, classifiers=tuple(scored))
    write_scores(output_dir, EncoderScores(report, np.concatenate(right)))
    return mean_accuracies(report)


def _train(
    config: FineTuneConfig,
    encoder: Path,
    train: Split,
    test: Split,
    info: DatasetInfo,
    one: Slice,
    folder: Path,
) -> EncoderScores:
    data, model, work = folder / "data", folder / "model", folder / "work"
    for made in (data, model, work):
        made.mkdir(parents=True, exist_ok=True)
    sliced = write_slice(train, info, one.rows, data)
    longest = min(config.max_length, longest_row(load_body(encoder), load_tokenizer(encoder)))
    epochs = plan_sizes(sliced, GivenSizes(teacher_epochs=config.epochs)).teacher_epochs
    asked = TrainConfig(
        epochs=epochs,
        max_length=longest,
        learning_rate=config.learning_rate,
        mixed_precision=config.mixed_precision,
        fused=True,
        seed=one.seed,
    )
    train_teacher(asked, encoder, data, model, work, lambda metrics, step: None)
    with autocast(config.mixed_precision, accelerated_device()):
        classifier = SentenceClassifier.load(model)
        answers = answer_texts(classifier, load_tokenizer(model), test.texts, longest)
    right = answers.logits.argmax(axis=1) == test.labels
    scored = ScoredClassifier(
        labels=one.labels, seed=one.seed, accuracy=float(right.mean()), choice=f"{epochs} epochs at most"
    )
    report = EncoderReport(test_rows=len(test), classes=len(info.labels), classifiers=(scored,))
    return EncoderScores(report, right[None])


def write_slice(train: Split, info: DatasetInfo, rows: np.ndarray, folder: Path) -> DatasetInfo:
    """Write `rows` int64 [n] of the training split as a data set whose validation split is a fifth of them; returns what
    its `dataset.json` says. The rows are in an order that keeps each label's share (`nested_order`), and so are both parts.
    What is out of scope is a label like the others there: a handful of rows has no threshold to give.
    """
    held_out = np.arange(len(rows)) % VALIDATION == VALIDATION - 1
    parts = {"train": rows[~held_out], "validation": rows[held_out]}
    tables = {
        name: pa.table(
            {
                "text": [train.texts[row] for row in chosen],
                "label": [info.labels[train.labels[row]] for row in chosen],
            }
        )
        for name, chosen in parts.items()
    }
    write_shards(tables.items(), folder, 500_000, 10_000)
    counts = {name: len(chosen) for name, chosen in parts.items()}
    sliced = info.model_copy(update={"rows": counts, "out_of_scope": None})
    write_value(folder / DATASET_FILE, sliced)
    return sliced
