"""Baseline: fastText, words and pieces of words averaged, then a linear classifier (Joulin et al. 2017).

Plain, or quantized as its authors do it: the tables as product codes, rare rows dropped (Joulin et al. 2016,
FastText.zip). One thread, so that the same seed gives the same model.
"""

import tempfile
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from infra.errors import DataError
from tasks.baselines.config import FastTextConfig
from tasks.baselines.fast_text_training import train_apart
from tasks.decision.rule import apply_rule, choose_rule
from tasks.formats.dataset import Split, load_info, load_split
from tasks.inference.fast_text import FastTextClassifier, FastTextInfo, library, load_model, plain

PREFIX = "__label__"


def fit_fast_text(config: FastTextConfig, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Fit on the training split, choose the rule on validation, write the model to `output_dir`.

    Returns the accuracy on validation. Raises ConfigError when the library is not installed or training diverges,
    DataError when the training split has rows of fewer than two classes.
    """
    info, train = load_info(dataset), load_split(dataset, "train")
    validation = load_split(dataset, "validation")
    model = fit_classifier(config, train, len(info.labels))
    logits = model.logits(validation.texts)
    rule = choose_rule(logits, validation.labels, info, config.expected_share)
    model.save(output_dir, FastTextInfo(labels=info.labels, out_of_scope=info.out_of_scope, rule=rule))
    answers = apply_rule(logits, rule, info.out_of_scope_id).argmax(axis=1)
    return {"validation_accuracy": float((answers == validation.labels).mean())}


def fit_classifier(config: FastTextConfig, train: Split, classes: int) -> FastTextClassifier:
    """Fit on `train`, whose rows are shuffled first: stochastic gradient descent over sorted classes learns little."""
    library()  # said before a process is started for it
    if (found := len(np.unique(train.labels))) < 2:
        raise DataError(
            f"the training split has rows of {found} class: expected two or more. Check the label column and curate."
        )
    with tempfile.TemporaryDirectory(prefix="fasttext-") as scratch:
        folder = Path(scratch)
        (folder / "rows.txt").write_text("".join(labelled_lines(train, config.seed)), encoding="utf-8")
        quantization: dict[str, JsonValue] = {
            "qnorm": True,
            "cutoff": config.kept_rows,
            "verbose": 0,
            "thread": 1,
        }
        weight, names = train_apart(
            folder / "rows.txt", folder, _arguments(config), quantization if config.quantized else None
        )
        model = load_model(folder)
    ids = np.array([int(name.removeprefix(PREFIX)) for name in names], dtype=np.int64)
    return FastTextClassifier(model, weight, ids, classes)


def labelled_lines(split: Split, seed: int) -> list[str]:
    """The rows as fastText reads them, a line each, in a random order."""
    order = np.random.default_rng(seed).permutation(len(split))
    return [f"{PREFIX}{split.labels[i]} {plain(split.texts[i])}\n" for i in order]


def _arguments(config: FastTextConfig) -> dict[str, JsonValue]:
    shortest, longest = config.characters
    return {
        "dim": config.dimensions,
        "epoch": config.epochs,
        "lr": config.learning_rate,
        "wordNgrams": config.words,
        "minn": shortest,
        "maxn": longest,
        "bucket": config.buckets,
        "minCount": 1,
        "seed": config.seed,
        "thread": 1,
        "verbose": 0,
    }
