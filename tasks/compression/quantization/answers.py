"""Logits of a graph in memory over texts, and how far those of its int8 form are from them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from onnx import ModelProto
from scipy.special import log_softmax

from infra.errors import DataError
from tasks.formats.onnx_folder import read_tokenizer
from tasks.inference.exported import Feeds, encode
from tasks.inference.onnx import session_options


class Divergence(NamedTuple):
    """How far logits are from the float32 ones, over texts."""

    agreement: float  # share of texts with the same argmax
    kl: float  # mean KL(float32 || int8) of the softmaxes, nats


def text_feeds(folder: Path, texts: Sequence[str]) -> Iterator[Feeds]:
    """Inputs of each text by itself, as it is served: no padding, and dynamic ranges that are the text's own.

    Raises DataError when there are no texts, ArtifactError when `folder` has no tokenizer.
    """
    if not texts:
        raise DataError("there are no texts: expected at least one to calibrate or compare with. Give some.")
    tokenizer = read_tokenizer(folder)
    return (encode(tokenizer, [text]) for text in texts)


def open_graph(model: ModelProto, optimised: bool = True) -> onnxruntime.InferenceSession:
    """A session on one thread; not `optimised`, every value of the graph can be asked for as it is written."""
    options = session_options(threads=1)
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def graph_logits(model: ModelProto, feeds: Iterable[Feeds]) -> np.ndarray:
    """Logits float32 [n, classes] of every row of `feeds`."""
    session = open_graph(model)
    return np.concatenate([session.run(["logits"], feed)[0] for feed in feeds])


def divergence(reference: np.ndarray, logits: np.ndarray) -> Divergence:
    """How far `logits` are from `reference`, both float [n, classes] of the same texts."""
    agreement = np.mean(reference.argmax(axis=1) == logits.argmax(axis=1))
    expected, found = (log_softmax(rows.astype(np.float64), axis=1) for rows in (reference, logits))
    return Divergence(float(agreement), float(np.mean(np.sum(np.exp(expected) * (expected - found), axis=1))))


def subsample_evenly(texts: Sequence[str], count: int) -> list[str]:
    """At most `count` of `texts`, evenly over them."""
    return [texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, min(count, len(texts))).astype(int))]
