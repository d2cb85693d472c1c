"""Predict: logits of one model, whatever its runtime, over the validation and test splits, after the rule.

Plain argmax of what is written is the model's answer, softmax its confidence. What a model does not carry itself is
chosen here, on validation: a PyTorch model's rule and temperature, a baseline's temperature.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from infra.errors import ArtifactError
from tasks.decision.rule import apply_rule, choose_rule, share_of_traffic
from tasks.decision.temperature import apply_temperature, choose_temperature
from tasks.evaluation.config import PredictConfig
from tasks.formats.dataset import load_info, load_split, require_labels
from tasks.formats.evaluation_report import Validation
from tasks.formats.model_folder import kind_of
from tasks.formats.predictions import (
    PREDICTED,
    Decision,
    Predictions,
    Validated,
    write_predictions,
    write_validated,
)
from tasks.formats.report_file import write_report
from tasks.inference.runner import Runner, open_runner


def predict(config: PredictConfig, model: Path, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Write what the model answers on both splits (`tasks.formats.predictions`).

    Returns the temperature, and the accuracy on both splits. Raises ArtifactError when `model` is no model, has other
    labels than the data set, or answers with numbers that are not finite.
    """
    info = load_info(dataset)
    runner = open_model(model, dataset)
    splits = {name: load_split(dataset, name) for name in PREDICTED}
    answers = {name: answer(runner, split.texts, config.batch_size, model) for name, split in splits.items()}
    logits = {name: served for name, (served, _) in answers.items()}
    rule, validation = runner.rule, splits["validation"]
    if not runner.ruled:
        rule = choose_rule(logits["validation"], validation.labels, info, config.expected_share)
        logits = {name: apply_rule(rows, rule, info.out_of_scope_id) for name, rows in logits.items()}
    temperature = runner.temperature
    if temperature is None:
        temperature = choose_temperature(logits["validation"], validation.labels, info, config.expected_share)
        logits = {name: apply_temperature(rows, temperature) for name, rows in logits.items()}
    outside, decision = info.out_of_scope_id, Decision(rule=rule, temperature=temperature)
    for name, rows in logits.items():
        own = None if outside is None else answers[name][1][:, outside]
        write_predictions(output_dir, name, Predictions(rows, own, decision))
    return {"temperature": temperature} | {
        f"{name}_accuracy": float((rows.argmax(axis=1) == splits[name].labels).mean())
        for name, rows in logits.items()
    }


def validate(config: PredictConfig, model: Path, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Write and return the expected accuracy in traffic, from validation alone: the test split stays closed.

    Rows out of scope count as they are expected in traffic. Which rows are right, and what each counts, is kept too, so
    that two models can be compared. Raises as `predict` does.
    """
    info, split = load_info(dataset), load_split(dataset, "validation")
    runner = open_model(model, dataset)
    logits, _ = answer(runner, split.texts, config.batch_size, model)
    if not runner.ruled:
        rule = choose_rule(logits, split.labels, info, config.expected_share)
        logits = apply_rule(logits, rule, info.out_of_scope_id)
    mass = share_of_traffic(split.labels, info, config.expected_share)
    right = logits.argmax(axis=1) == split.labels
    accuracy = float(mass @ right)
    write_validated(output_dir, Validated(right, mass))
    write_report(output_dir, Validation(rows=len(split), accuracy=accuracy))
    return {"validation_accuracy": accuracy}


def open_model(model: Path, dataset: Path) -> Runner:
    """The model in its runtime; raises ArtifactError when it has other labels than the data set."""
    # One thread an answer and several answers at once beats several threads an answer, for texts are short.
    threads = 1 if kind_of(model) == "onnx" else None
    runner = open_runner(model, threads, spinning=False, accelerated=True)
    require_labels(model, runner.labels, dataset)
    return runner


def answer(runner: Runner, texts: list[str], batch_size: int, model: Path) -> tuple[np.ndarray, np.ndarray]:
    """Logits float32 [n, classes] as served and the model's own, in the order of `texts`.

    They are from batches of like length, for then little is padding.
    A model whose rows depend on their batch is asked one text at a time: that is how it is served.
    Raises ArtifactError when a logit is NaN or infinite.
    """
    size = batch_size if runner.rows_independent else 1
    order = np.argsort([len(text) for text in texts], kind="stable")
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    logits, own = (np.empty((len(texts), len(runner.labels)), dtype=np.float32) for _ in range(2))
    with (
        ThreadPoolExecutor(1 if runner.rows_independent else os.cpu_count()) as pool,
        tqdm(total=len(texts), desc="predict", unit="row", leave=False, disable=None) as bar,
    ):
        answers = pool.map(lambda batch: runner.logits_and_own([texts[i] for i in batch]), batches)
        for batch, (rows, own_rows) in zip(batches, answers, strict=True):
            logits[batch], own[batch] = rows, own_rows
            bar.update(len(batch))
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        raise ArtifactError(
            f"{model} answers {len(broken)} of {len(texts)} texts with NaN or infinity, the first is "
            f"{texts[broken[0]][:80]!r}: expected finite logits. Its weights are damaged or training "
            "diverged: train again."
        )
    return logits, own
