"""Quantize: dynamic int8, weights as signed bytes with a scale for each column, activations with one for each call."""

from pathlib import Path

from tasks.compression.export.config import CompressConfig
from tasks.compression.export.folder import read_model
from tasks.compression.export.ruled import write_ruled
from tasks.compression.quantization.config import Weights4BitConfig
from tasks.compression.quantization.dynamic import to_dynamic_int8
from tasks.compression.quantization.weights4bit import to_4bit
from tasks.formats.dataset import require_labels
from tasks.formats.onnx_folder import copy_tokenizer, read_labels


def quantize_onnx(
    config: CompressConfig, onnx_folder: Path, dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Write the int8 form of an ONNX artifact, same files, to `output_dir`, with a threshold chosen on its own logits.

    Returns size and validation accuracy. Raises ArtifactError for an artifact that is damaged or
    answers other labels than the data set has.
    """
    model, description = read_model(onnx_folder)
    copy_tokenizer(onnx_folder, output_dir)
    require_labels(onnx_folder, read_labels(onnx_folder), dataset)
    if config.weights == "int8":
        quantized = to_dynamic_int8(model, config.quantize_embeddings)
    else:
        blocks = Weights4BitConfig(matrices="4bit" if config.weights == "int4" else "int8")
        quantized = to_4bit(model, blocks, embeddings=True)
    return write_ruled(output_dir, quantized, description, dataset, config.expected_share)
