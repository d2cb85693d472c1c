from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from onnx import ModelProto
from torch import nn

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.export.folder import read_model
from tasks.compression.quantization.answers import text_feeds
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.inference.exported import Feeds
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import write_dataset, write_teacher


@dataclass(frozen=True)
class Made:
    """A tiny checkpoint of random weights, its data, and its float32 graph, as a folder and without its rule."""

    checkpoint: Path
    dataset: Path
    onnx: Path
    graph: ModelProto
    texts: list[str]  # training texts
    feeds: list[Feeds]  # of validation texts


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("quantization")
    checkpoint, dataset = (
        with_own_vectors(write_teacher(root / "checkpoint")),
        write_dataset(root / "dataset"),
    )
    (root / "onnx").mkdir()
    export_onnx(CompressConfig(), checkpoint, dataset, root / "onnx")
    texts = {name: load_split(dataset, name).texts for name in ("train", "validation")}
    feeds = list(text_feeds(root / "onnx", texts["validation"]))
    return Made(checkpoint, dataset, root / "onnx", read_model(root / "onnx")[0], texts["train"], feeds)


def with_own_vectors(checkpoint: Path) -> Path:
    """Biases and norms that differ, as trained ones do: the exporter makes one of those that are alike."""
    model, tokenizer = SentenceClassifier.load(checkpoint), load_tokenizer(checkpoint)
    torch.manual_seed(2)
    for name, value in model.named_parameters():
        if value.ndim == 1:
            nn.init.normal_(value, mean=float("Norm.weight" in name), std=0.1)
    model.save(checkpoint, tokenizer, load_info(checkpoint))
    return checkpoint
