"""A peer: the same classifier as transformers' own exporter writes it, with its ONNX Runtime int8 defaults.

    OnnxConfig(dynamic=True, ort_fusions="cpu", quantizer=OnnxRuntimeQuantizer(OnnxRuntimeDynamicConfig()))

Pooling and head are part of the module that is exported, so that the peer's graph answers texts with logits as ours
does. Nothing else is done to it but what every graph gets: the out-of-scope rule with a threshold of its own.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import onnx_ir
import torch
from pydantic import JsonValue
from torch import nn
from transformers import Cache, PreTrainedModel
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter
from transformers.exporters.quantizers.quantizer_onnxruntime import (
    OnnxRuntimeDynamicConfig,
    OnnxRuntimeQuantizer,
)

from tasks.encoder.checkpoint import load_info
from tasks.encoder.loading import load_tokenizer
from tasks.encoder.model import SentenceClassifier
from tasks.onnx_model.folder import require_labels, write_ruled, write_tokenizer
from tasks.onnx_model.graph import strip


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
    # Two rows of three tokens, one padded: sizes of one would be taken for constants.
    sample: dict[str, torch.Tensor | Cache] = {
        "input_ids": torch.ones((2, 3), dtype=torch.int64),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    }
    defaults = OnnxConfig(
        dynamic=True, ort_fusions="cpu", quantizer=OnnxRuntimeQuantizer(OnnxRuntimeDynamicConfig())
    )
    with torch.no_grad(), _quiet():
        module = cast(PreTrainedModel, _Deployed(model).eval())  # any module will do
        graph = onnx_ir.to_proto(OnnxExporter().export(module, sample, defaults).program)
    strip(graph)
    write_tokenizer(output_dir, load_tokenizer(checkpoint), info.max_length)
    described: dict[str, JsonValue] = {
        "model_type": model.body.config.model_type,
        "id2label": {str(i): name for i, name in enumerate(info.labels)},
        "max_length": info.max_length,
    }
    return write_ruled(output_dir, graph, described, dataset, expected_share)


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
