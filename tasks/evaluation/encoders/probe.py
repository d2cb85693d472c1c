"""Linear probes: what a few labels make of the frozen vectors of an encoder (Alain & Bengio 2016)."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from tqdm import tqdm

from tasks.evaluation.encoders.config import ProbeConfig
from tasks.evaluation.encoders.slices import read_labelled, slices
from tasks.evaluation.encoders.vectors import Vectors, layer_vectors
from tasks.formats.encoder_scores import EncoderReport, EncoderScores, ScoredClassifier, write_scores

PENALTIES = tuple(float(value) for value in np.logspace(2, -3, 11))


class Fitted(NamedTuple):
    """A classifier on the vectors called `choice`; `score` is minus the mean squared error of its rows, each left out."""

    choice: str
    classifier: RidgeClassifierCV
    score: float


def probe_encoder(config: ProbeConfig, encoder: Path, dataset: Path, output_dir: Path) -> Mapping[str, float]:
    """Write the scores of a probe for each slice; returns the mean accuracy for each number of labels.

    Raises ArtifactError when encoder or data set are damaged, DataError for a single label.
    """
    labelled = read_labelled(dataset, config)
    asked = list(slices(labelled.train.labels, config))
    used = np.unique(np.concatenate([one.rows for one in asked]))
    texts = [labelled.train.texts[row] for row in used]
    vectors = layer_vectors(encoder, [*texts, *labelled.test.texts], config)
    train = {name: values[: len(used)] for name, values in vectors.items()}
    test = {name: values[len(used) :] for name, values in vectors.items()}
    scored, right = [], []
    for one in tqdm(asked, desc="probes", unit="probe", leave=False, disable=None):
        places = np.searchsorted(used, one.rows)
        fitted = choose(
            {name: values[places] for name, values in train.items()}, labelled.train.labels[one.rows]
        )
        answers = fitted.classifier.predict(test[fitted.choice]) == labelled.test.labels
        right.append(answers)
        scored.append(
            ScoredClassifier(
                labels=one.labels, seed=one.seed, accuracy=float(answers.mean()), choice=fitted.choice
            )
        )
    report = EncoderReport(test_rows=len(labelled.test), classes=labelled.classes, classifiers=tuple(scored))
    write_scores(output_dir, EncoderScores(report, np.array(right)))
    return mean_accuracies(report)


def choose(vectors: Vectors, labels: np.ndarray) -> Fitted:
    """The layer, pooling and penalty that are nearest to the labels of their own rows, each left out in turn; of equals the
    first.

    Ridge regression on the labels, for which leaving one row out has a closed form (Hastie, Tibshirani & Friedman 2009,
    section 7.10.1). Nearest by squared error: of a hundred rows the share that is answered right is so coarse that it picks
    penalties by chance, which cost up to five points. `vectors` float32 [n, hidden] by name, `labels` int64 [n].
    """
    fitted = []
    for name, values in vectors.items():
        classifier = RidgeClassifierCV(alphas=PENALTIES).fit(values, labels)
        fitted.append(Fitted(name, classifier, float(classifier.best_score_)))
    return max(fitted, key=lambda one: one.score)


def mean_accuracies(report: EncoderReport) -> Mapping[str, float]:
    """`accuracy_N` of each number of labels, over the seeds."""
    sizes = sorted({one.labels for one in report.classifiers})
    return {
        f"accuracy_{size}": float(np.mean([one.accuracy for one in report.classifiers if one.labels == size]))
        for size in sizes
    }
