"""A peer: the same classifier as transformers' own exporter writes it, with its ONNX Runtime int8 defaults.

    OnnxConfig(dynamic=True, ort_fusions="cpu", quantizer=OnnxRuntimeQuantizer(OnnxRuntimeDynamicConfig()))

Pooling and head are part of the module that is exported, so that the peer's graph answers texts with logits as ours
does. Nothing else is done to it but what every graph gets: the out-of-scope rule with a threshold of its own.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import onnx_ir
import torch
from onnx import ModelProto
from torch import nn
from transformers import Cache, PreTrainedModel
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter
from transformers.exporters.quantizers.quantizer_onnxruntime import (
    OnnxRuntimeDynamicConfig,
    OnnxRuntimeQuantizer,
)

from tasks.compression.export.graph import strip
from tasks.compression.export.ruled import write_ruled
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import require_labels
from tasks.formats.onnx_folder import Config, write_tokenizer
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier


class _Deployed(nn.Module):
    """Token ids and mask, int64 [batch, sequence], to logits float32 [batch, labels] under the graph's name for them."""

    def __init__(self, model: SentenceClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.model(input_ids, attention_mask).logits}


def export_with_transformers(
    checkpoint: Path, dataset: Path, output_dir: Path, expected_share: float | None
) -> dict[str, float]:
    """Write `model.onnx`, `tokenizer.json` and `config.json` of a checkpoint to `output_dir`; see the module.

    Returns size and validation accuracy. Raises ArtifactError for a checkpoint that is damaged or answers other labels
    than the data set has.
    """
    info = load_info(checkpoint)
    require_labels(checkpoint, info.labels, dataset)
    model = SentenceClassifier.load(checkpoint)
    graph = export_int8(_Deployed(model))
    write_tokenizer(output_dir, load_tokenizer(checkpoint), info.max_length)
    described = describe(model.body.config.model_type, info.labels, info.max_length)
    return write_ruled(output_dir, graph, described, dataset, expected_share)


def describe(model_type: str, labels: Sequence[str], max_length: int) -> Config:
    """`config.json` of a classifier that is an ONNX graph."""
    return {
        "model_type": model_type,
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "max_length": max_length,
    }


def export_int8(module: nn.Module) -> ModelProto:
    """The graph of a module from `input_ids` and `attention_mask` to a mapping with `logits`, see the top of this file."""
    # Two rows of three tokens, one padded: sizes of one would be taken for constants.
    sample: dict[str, torch.Tensor | Cache] = {
        "input_ids": torch.ones((2, 3), dtype=torch.int64),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    }
    defaults = OnnxConfig(
        dynamic=True, ort_fusions="cpu", quantizer=OnnxRuntimeQuantizer(OnnxRuntimeDynamicConfig())
    )
    with torch.no_grad(), _quiet():
        any_module = cast(PreTrainedModel, module.eval())
        graph: ModelProto = onnx_ir.to_proto(OnnxExporter().export(any_module, sample, defaults).program)
    strip(graph)
    return graph


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Exporter and quantizer print their steps and advise each other: nothing for the reader to act upon."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
