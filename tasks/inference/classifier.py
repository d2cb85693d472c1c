"""Classifier: a release that answers texts, as a service uses it and as the benchmark times it.

    classifier = Classifier(Path("release"))
    classifier.predict(["What is the pin number for my account?"])[0].label

It imports `onnxruntime`, `tokenizers` and `numpy` and nothing else of weight, so that a fresh interpreter answers its
first text well within a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.formats.onnx_folder import read_config, read_labels
from tasks.inference.int8_products import say_if_slower
from tasks.inference.onnx import TextGraph, runtime_name

BATCH = 32  # texts answered at once; more gain nothing on one core
# Of a longer text only the beginning is tokenized. The model's own cut, in tokens, comes long before.
LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of one text."""

    label: str
    confidence: float  # softmax of the released logits, 0 to 1
    out_of_scope: bool  # whether `label` is the one for what the model does not serve
    ranked: tuple[tuple[str, float], ...]  # the `top_k` best labels with their confidence, best first


class Classifier:
    """A release folder, loaded. Several threads may call `predict` of one classifier at the same time.

    One thread within an operation, which does not spin, is the default: several busy threads of a service get more out
    of the cores than several threads of one answer, and for models of this size one is also the quickest answer or
    close to it. Which is best depends on the machine that answers and not on the one that released, so it is stored
    nowhere: `make bench` measures it.

    Activations are quantized with ranges of the whole batch, so an int8 model may answer a text a little differently in
    company than alone. A release's recorded figures are of texts alone; `predict([text])` gives exactly those answers,
    on any x86 processor (tasks/inference/int8_products.py).
    """

    def __init__(self, folder: Path, threads: int = 1, spinning: bool = False) -> None:
        """Open the release (or ONNX artifact) in `folder`.

        Args:
            folder: graph, `tokenizer.json` and `config.json`.
            threads: threads within one operation.
            spinning: whether they spin for a while before they sleep: quicker answers for a busy core.

        Raises:
            ArtifactError: a file is missing or damaged.
            ConfigError: `threads` is less than 1.
        """
        if threads < 1:
            raise ConfigError(f"threads is {threads}: expected 1 or more.")
        self.labels = read_labels(folder)
        self.out_of_scope = _out_of_scope_label(folder)
        self.runtime = runtime_name()
        self._graph = TextGraph(folder, threads, spinning)
        say_if_slower()

    def predict(self, texts: Sequence[str], top_k: int = 1) -> list[Answer]:
        """Answer each of `texts`, in their order.

        Texts are batched by their number of tokens, so that little is padding. An empty text is answered like any
        other. No texts give no answers.

        Args:
            texts: any number of strings; of each the first 100,000 characters are read.
            top_k: labels in `ranked`; all of them when there are fewer.

        Raises:
            DataError: `texts` is a single string, or holds something that is no string of Unicode.
            ConfigError: `top_k` is less than 1.
        """
        if top_k < 1:
            raise ConfigError(f"top_k is {top_k}: expected 1 or more.")
        rows = self._graph.encode(_checked(texts))
        answers: list[Answer | None] = [None] * len(rows)
        for bucket in buckets([len(row) for row in rows], BATCH):
            logits = self._graph.logits([rows[i] for i in bucket])
            for i, answer in zip(bucket, self._read(logits, top_k), strict=True):
                answers[i] = answer
        return [answer for answer in answers if answer is not None]

    def _read(self, logits: np.ndarray, top_k: int) -> list[Answer]:
        # Plain argmax for one label: sorting 151 of them costs as much as the softmax.
        best = (
            logits.argmax(axis=1)[:, None]
            if top_k == 1
            else (-logits).argsort(axis=1, kind="stable")[:, :top_k]
        )
        shifted = logits - logits.max(axis=1, keepdims=True)
        scores = np.exp(shifted[np.arange(len(best))[:, None], best]) / np.exp(shifted).sum(
            axis=1, keepdims=True
        )
        return [
            self._answer(columns, row) for columns, row in zip(best.tolist(), scores.tolist(), strict=True)
        ]

    def _answer(self, columns: list[int], scores: list[float]) -> Answer:
        ranked = tuple((self.labels[column], value) for column, value in zip(columns, scores, strict=True))
        label, confidence = ranked[0]
        return Answer(label, confidence, label == self.out_of_scope, ranked)


def buckets(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Row numbers in groups of `size` (the last may be smaller), shortest rows first, equal ones in their order."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + size] for start in range(0, len(order), size)]


def _checked(texts: Sequence[str]) -> list[str]:
    """The texts, the very long ones cut; raises DataError for what is no list of strings."""
    if isinstance(texts, str):
        raise DataError(
            f"texts is the string {texts[:40]!r}: expected a list of strings. Put it into a list."
        )
    cut = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"text {i} is of type {type(text).__name__}: expected a string. Leave out what is missing."
            )
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DataError(
                f"text {i} has half of a surrogate pair, which is no character: expected Unicode. "
                "Read its source with the right encoding."
            )
        cut.append(text[:LONGEST_TEXT])
    return cut


def _out_of_scope_label(folder: Path) -> str | None:
    """The label of `config.json` for what is out of scope; None where the graph has no rule."""
    rule = read_config(folder).get("out_of_scope")
    if rule is None:
        return None
    if not isinstance(rule, dict) or not isinstance(rule.get("label"), str):
        raise ArtifactError(
            f"{folder}/config.json says out_of_scope as {rule!r}: expected an object with the label, or null. "
            "Export the model again."
        )
    return str(rule["label"])
