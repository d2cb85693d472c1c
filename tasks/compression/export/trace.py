"""From PyTorch to an ONNX graph: traced with dynamic shapes, then fused into ONNX Runtime's own operators.

`torch.onnx.export` traces, and the fusions are those of transformers' exporters. Their `OnnxExporter` would do both,
but the graph it traces has no attention that the fusions for the CPU find, and it takes three times as long.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import cast

import onnx
import onnx_ir
import torch
from torch import nn
from transformers.exporters.onnxruntime_fusions import fuse_for_onnxruntime

from tasks.models.model import SentenceClassifier

OPSET = 20
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"


class _LogitsOnly(nn.Module):
    """What is deployed: token ids and mask, int64 [batch, sequence], to logits float32 [batch, labels]."""

    def __init__(self, model: SentenceClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids, attention_mask).logits


def trace(model: SentenceClassifier) -> onnx.ModelProto:
    """Graph of `model` with dynamic batch and sequence, fused for ONNX Runtime on the CPU, weights inside."""
    # Two rows of three tokens, one padded: sizes of one would be taken for constants.
    ids = torch.ones((2, 3), dtype=torch.int64)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    axes = {0: "batch", 1: "sequence"}
    with torch.no_grad(), _quiet_exporter():
        exported = torch.onnx.export(
            _LogitsOnly(model).eval(),
            (ids, mask),
            dynamo=True,
            dynamic_shapes=dict.fromkeys(INPUTS, axes),
            input_names=INPUTS,
            output_names=(OUTPUT,),
            opset_version=OPSET,
            verbose=False,
        )
        graph = cast(torch.onnx.ONNXProgram, exported).model  # None without dynamo alone
        fuse_for_onnxruntime(graph, "cpu")
    return onnx_ir.to_proto(graph)


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter prints its steps and warns of torch's own deprecations and of torchvision: nothing to act upon."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
