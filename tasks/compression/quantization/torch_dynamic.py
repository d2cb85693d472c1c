"""Dynamic int8 in PyTorch: what a user who stays with PyTorch would run.

`torch.ao.quantization` is deprecated in favour of torchao, and still the one that is fast on a CPU. A student of 2 layers
of 384, one thread, 11 tokens: float32 3.3 ms, this 1.6 ms, torchao's `Int8DynamicActivationInt8WeightConfig` 5.9 ms
(not compiled). torch is pinned exactly, so what is deprecated cannot go away unseen.
"""

from pathlib import Path

import torch
from torch import nn

from tasks.formats.model_files import inference_bytes
from tasks.inference.pytorch_int8 import quantized_tensors, save_int8
from tasks.models.model import SentenceClassifier


def quantize_checkpoint(checkpoint: Path, output_dir: Path, embeddings: bool) -> dict[str, float]:
    """Write the int8 form of a checkpoint to `output_dir`, which `open_runner` opens; returns its `size_mb`.

    Linear layers become QInt8 with a scale for each row, what goes into them with one for each call; embeddings, where
    asked, bytes with a scale and a zero point for each row. Raises ArtifactError for a damaged checkpoint.
    """
    save_int8(to_torch_int8(SentenceClassifier.load(checkpoint), embeddings), checkpoint, output_dir)
    return {"size_mb": inference_bytes(output_dir) / 1e6}


def to_torch_int8(model: SentenceClassifier, embeddings: bool) -> SentenceClassifier:
    """A copy of `model` with PyTorch's quantized modules in place of its linear layers, and of its embeddings."""
    kinds: dict[type[nn.Module], object] = {nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
    if embeddings:
        kinds[nn.Embedding] = torch.ao.quantization.float_qparams_weight_only_qconfig
    with quantized_tensors():
        return torch.ao.quantization.quantize_dynamic(model, kinds, dtype=torch.qint8)
