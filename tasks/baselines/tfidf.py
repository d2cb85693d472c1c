"""Baseline: what a user would pick instead, in its strong form, with the out-of-scope rule of every model.

TF-IDF of words and of characters within words, then logistic regression, one class against the rest. The
solver is liblinear's dual coordinate descent (Yu, Huang & Lin 2011): on CLINC150 it takes 8 seconds of one
core where the multinomial fit by L-BFGS takes 40, and it tells better what is out of scope (0.869 against
0.862 on the whole test).
"""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from infra.errors import DataError
from tasks.baselines.config import BaselineConfig
from tasks.decision.rule import NEVER, apply_rule, choose_rule
from tasks.formats.dataset import Split, load_info, load_split
from tasks.inference.tfidf import BaselineInfo, TermLimits, TfidfClassifier, build_features, cut

ITERATIONS = 1_000  # bound of passes over the rows; the tolerance is reached after about 50


def fit_baseline(config: BaselineConfig, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Fit on the training split, choose the rule on validation, write the baseline to `output_dir`.

    Returns the number of terms and the accuracy on validation. Raises DataError when the training split has
    rows of fewer than two classes, or no terms.
    """
    info = load_info(dataset)
    train, validation = load_split(dataset, "train"), load_split(dataset, "validation")
    model = fit_classifier(config, train, len(info.labels))
    logits = model.logits(validation.texts)
    rule = choose_rule(logits, validation.labels, info, config.expected_share)
    model.save(
        output_dir,
        BaselineInfo(labels=info.labels, out_of_scope=info.out_of_scope, rule=rule, terms=_terms(config)),
    )
    answers = apply_rule(logits, rule, info.out_of_scope_id).argmax(axis=1)
    accuracy = float((answers == validation.labels).mean())
    return {"terms": float(len(model.weight)), "validation_accuracy": accuracy}


def fit_classifier(config: BaselineConfig, train: Split, classes: int) -> TfidfClassifier:
    """Fit terms and classifier on `train`; a class without training rows gets a logit that never wins."""
    present = np.unique(train.labels)
    if len(present) < 2:
        raise DataError(
            f"the training split has rows of {len(present)} class: expected two or more. "
            "Check the label column and curate."
        )
    features = build_features(_terms(config))
    try:
        vectors = features.fit_transform(cut(train.texts, config.text_characters))
    except ValueError as error:  # scikit-learn's "empty vocabulary"
        raise DataError(
            f"no term stands in {config.minimum_rows} of {len(train)} training rows ({error}): expected "
            "some. Lower baseline.minimum_rows, or check the text column."
        ) from error
    weight, bias = _one_against_rest(config, vectors, train.labels, classes)
    return TfidfClassifier(features, weight, bias, config.text_characters)


def _one_against_rest(
    config: BaselineConfig, vectors: csr_matrix, labels: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weight float32 [terms, classes] and bias float32 [classes] of one binary regression a class."""
    vectors = vectors.astype(np.float64)  # what liblinear reads: converted once, not once a class
    weight = np.zeros((vectors.shape[1], classes), dtype=np.float32)
    bias = np.full(classes, NEVER, dtype=np.float32)
    for label in tqdm(np.unique(labels), desc="fit_baseline", unit="class", leave=False, disable=None):
        solver = LogisticRegression(
            solver="liblinear",
            dual=True,
            C=config.inverse_regularization,
            tol=config.tolerance,
            max_iter=ITERATIONS,
            random_state=config.seed,
        ).fit(vectors, labels == label)
        weight[:, label], bias[label] = solver.coef_[0], solver.intercept_[0]
    return weight, bias


def _terms(config: BaselineConfig) -> TermLimits:
    return TermLimits(**config.model_dump(include=set(TermLimits.model_fields)))
