"""Logistic regression on the vectors of an encoder that is not trained: one ONNX folder, from texts to logits."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from pydantic import Field
from torch import nn
from tqdm import tqdm

from tasks.baselines.config import ExpectedShare
from tasks.compression.export.graph import strip
from tasks.compression.export.ruled import write_ruled
from tasks.formats.asked import Asked
from tasks.formats.dataset import load_info, load_split
from tasks.formats.onnx_folder import MODEL_FILE, TOKENIZER_FILE, read_tokenizer
from tasks.inference.exported import encode
from tasks.inference.onnx import open_session
from tasks.metrics.in_scope import in_scope_accuracy
from tasks.training.fine_tuning.probe import probe
from tests.benchmarks.encoders import Encoder
from tests.benchmarks.settings import write_settings
from tests.benchmarks.transformers_exporter import describe

BATCH = 64


class FrozenConfig(Asked):
    """A head on frozen vectors."""

    strengths: tuple[float, ...] = Field(
        (1.0, 10.0, 100.0, 1_000.0), description="C that are tried, for vectors whose mean length is 1"
    )
    max_length: int = Field(ge=8, description="tokens that a text is cut to")
    expected_share: ExpectedShare = None


def fit_frozen(config: FrozenConfig, encoder: Encoder, dataset: Path, output_dir: Path) -> dict[str, float]:
    """Write `model.onnx`, `tokenizer.json` and `config.json` of the encoder with a head for the data set to `output_dir`.

    C is the one that answers most in-scope rows of validation right, the smaller of equals; the rule is chosen there too.
    Returns size and validation accuracy. Raises ArtifactError for an encoder whose answers are not finite.
    """
    info, train = load_info(dataset), load_split(dataset, "train")
    validation = load_split(dataset, "validation")
    write_tokenizer(encoder, output_dir, config.max_length)
    (output_dir / MODEL_FILE).write_bytes(encoder.graph.SerializeToString())
    known, held_out = (embed(output_dir, encoder.vectors, split.texts) for split in (train, validation))
    length = float(np.linalg.norm(known, axis=1).mean())
    heads = {
        strength: fit_head(known / length, train.labels, len(info.labels), strength)
        for strength in tqdm(config.strengths, encoder.name, leave=False, disable=None)
    }
    right = {
        strength: in_scope_accuracy(head.logits(held_out / length), validation.labels, info.out_of_scope_id)
        for strength, head in heads.items()
    }
    best = max(right, key=lambda strength: right[strength])
    write_settings(output_dir, {"C": best})
    described = describe(encoder.name, info.labels, config.max_length)
    graph = with_head(encoder.graph, encoder.vectors, heads[best].weight / length, heads[best].bias)
    return write_ruled(output_dir, graph, described, dataset, config.expected_share)


class Head(NamedTuple):
    """A linear map: `weight` float32 [d, classes], `bias` float32 [classes]."""

    weight: np.ndarray
    bias: np.ndarray

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Of vectors float [n, d]: float [n, classes]."""
        return vectors @ self.weight + self.bias


def fit_head(vectors: np.ndarray, labels: np.ndarray, classes: int, strength: float) -> Head:
    """Logistic regression on vectors float32 [n, d]; a class without rows gets a logit that never wins."""
    head = nn.Linear(vectors.shape[1], classes)
    probe(head, vectors, labels, strength)
    return Head(head.weight.detach().numpy().T, head.bias.detach().numpy())


def with_head(encoder: ModelProto, vectors: str, weight: np.ndarray, bias: np.ndarray) -> ModelProto:
    """A copy of the encoder's graph whose output is `logits`: its `vectors` times `weight` [d, classes], plus `bias`."""
    model = ModelProto.FromString(encoder.SerializeToString())
    graph = model.graph
    for name, value in (("head.weight", weight), ("head.bias", bias)):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
    graph.node.append(
        helper.make_node("MatMul", [vectors, "head.weight"], ["head.product"], name="head.product")
    )
    graph.node.append(helper.make_node("Add", ["head.product", "head.bias"], ["logits"], name="head.logits"))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)]))
    strip(model)
    return model


def write_tokenizer(encoder: Encoder, folder: Path, max_length: int) -> None:
    """Write `tokenizer.json` that cuts to `max_length` tokens and pads a batch to its longest row by itself."""
    tokenizer, pad = encoder.tokenizer, encoder.pad_token
    tokenizer.enable_truncation(max_length)
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(pad), pad_token=pad)
    tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)


def embed(folder: Path, output: str, texts: Sequence[str]) -> np.ndarray:
    """The graph's `output` float32 [n, d] for each text, from batches of like length."""
    session, tokenizer = open_session(folder, threads=1, spinning=False), read_tokenizer(folder)
    order = np.argsort([len(text) for text in texts], kind="stable")
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    found = [session.run([output], encode(tokenizer, [texts[i] for i in batch]))[0] for batch in batches]
    vectors = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
    vectors[order] = np.concatenate(found)
    return vectors
