"""Predictions as the predict stage writes them, of logits that a test makes up."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tasks.decision.rule import apply_rule, choose_rule
from tasks.formats.dataset import load_info, load_split
from tasks.formats.predictions import PREDICTED, Decision, Predictions, write_predictions


def write_predicted(
    folder: Path,
    dataset: Path,
    logits: Callable[[np.ndarray], np.ndarray],
    expected_share: float | None = None,
) -> Path:
    """Of a model whose own logits [n, classes] are a function of the true ids [n], with its rule, temperature 1."""
    folder.mkdir(parents=True, exist_ok=True)
    info = load_info(dataset)
    column = info.out_of_scope_id
    splits = {name: load_split(dataset, name).labels for name in PREDICTED}
    own = {name: logits(labels).astype(np.float32) for name, labels in splits.items()}
    rule = choose_rule(own["validation"], splits["validation"], info, expected_share)
    for name, rows in own.items():
        outside = None if column is None else rows[:, column]
        predicted = Predictions(apply_rule(rows, rule, column), outside, Decision(rule=rule, temperature=1.0))
        write_predictions(folder, name, predicted)
    return folder
