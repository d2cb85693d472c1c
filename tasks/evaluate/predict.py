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
from tasks.evaluate.config import PredictConfig
from tasks.labelled_text.dataset import DatasetInfo, load_info, load_split
from tasks.out_of_scope.rule import apply_rule, choose_rule, share_of_traffic
from tasks.out_of_scope.temperature import choose_temperature, soften
from tasks.results.values import Validation, write_report
from tasks.runtimes.runner import Runner, kind_of, open_runner

LOGITS_FILES = {"validation": "validation_logits.npy", "test": "test_logits.npy"}
RULE_FILE = "rule.json"


def predict(config: PredictConfig, model: Path, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Write `validation_logits.npy` and `test_logits.npy`, float32 [n, classes], and `rule.json`.

    Returns the temperature, and the accuracy on both splits. Raises ArtifactError when `model` is no model, has other
    labels than the data set, or answers with numbers that are not finite.
    """
    info = load_info(dataset)
    runner = open_model(model, info)
    splits = {name: load_split(dataset, name) for name in LOGITS_FILES}
    logits = {name: answer(runner, split.texts, config.batch_size, model) for name, split in splits.items()}
    rule = runner.rule
    if not runner.ruled:
        validation = splits["validation"]
        rule = choose_rule(
            logits["validation"], validation.labels, info, config.expected_share, validation.weights
        )
        logits = {name: apply_rule(rows, rule, info.out_of_scope_id) for name, rows in logits.items()}
    temperature = runner.temperature
    if temperature is None:
        validation = splits["validation"]
        temperature = choose_temperature(
            logits["validation"], validation.labels, info, config.expected_share, validation.weights
        )
        logits = {name: soften(rows, temperature) for name, rows in logits.items()}
    for name, rows in logits.items():
        np.save(output_dir / LOGITS_FILES[name], rows, allow_pickle=False)
    said = "null" if rule is None else rule.model_dump_json(indent=2)
    (output_dir / RULE_FILE).write_text(said + "\n", encoding="utf-8")
    return {"temperature": temperature} | {
        f"{name}_accuracy": float((rows.argmax(axis=1) == splits[name].labels).mean())
        for name, rows in logits.items()
    }


def validate(config: PredictConfig, model: Path, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Write and return the expected accuracy in traffic, from validation alone: the test split stays closed.

    Rows out of scope count as they are expected in traffic. Raises as `predict` does.
    """
    info, split = load_info(dataset), load_split(dataset, "validation")
    runner = open_model(model, info)
    logits = answer(runner, split.texts, config.batch_size, model)
    if not runner.ruled:
        rule = choose_rule(logits, split.labels, info, config.expected_share, split.weights)
        logits = apply_rule(logits, rule, info.out_of_scope_id)
    mass = share_of_traffic(split.labels, info, config.expected_share, split.weights)
    accuracy = float(mass @ (logits.argmax(axis=1) == split.labels))
    write_report(output_dir, Validation(rows=len(split), accuracy=accuracy))
    return {"validation_accuracy": accuracy}


def open_model(model: Path, info: DatasetInfo) -> Runner:
    """The model in its runtime; raises ArtifactError when it has other labels than the data set."""
    # One thread an answer and several answers at once beats several threads an answer, for texts are short.
    threads = 1 if kind_of(model) == "onnx" else None
    runner = open_runner(model, threads, spinning=False, accelerated=True)
    if runner.labels != info.labels:
        raise ArtifactError(
            f"{model} answers {len(runner.labels)} labels from {runner.labels[0]!r} on, and the data set has "
            f"{len(info.labels)} from {info.labels[0]!r} on: expected the same ones. Train on this data set."
        )
    return runner


def answer(runner: Runner, texts: list[str], batch_size: int, model: Path) -> np.ndarray:
    """Logits float32 [n, classes] in the order of `texts`, from batches of like length: little is padding.

    A model whose rows depend on their batch is asked one text at a time: that is how it is served.
    Raises ArtifactError when a logit is NaN or infinite.
    """
    size = batch_size if runner.rows_independent else 1
    order = np.argsort([len(text) for text in texts], kind="stable")
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    logits = np.empty((len(texts), len(runner.labels)), dtype=np.float32)
    with (
        ThreadPoolExecutor(1 if runner.rows_independent else os.cpu_count()) as pool,
        tqdm(total=len(texts), desc="predict", unit="row", leave=False, disable=None) as bar,
    ):
        answers = pool.map(lambda batch: runner.logits([texts[i] for i in batch]), batches)
        for batch, rows in zip(batches, answers, strict=True):
            logits[batch] = rows
            bar.update(len(batch))
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(broken):
        raise ArtifactError(
            f"{model} answers {len(broken)} of {len(texts)} texts with NaN or infinity, the first is "
            f"{texts[broken[0]][:80]!r}: expected finite logits. Its weights are damaged or training "
            "diverged: train again."
        )
    return logits
