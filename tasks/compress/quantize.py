"""Quantize: dynamic int8, weights as signed bytes with a scale for each column, activations with one for each call."""

import shutil
from pathlib import Path

from infra.errors import ArtifactError
from tasks.compress.config import CompressConfig
from tasks.onnx_model.folder import TOKENIZER_FILE, read_model, require_labels, write_ruled
from tasks.quantization.config import Weights4BitConfig
from tasks.quantization.dynamic import to_dynamic_int8
from tasks.quantization.weights4bit import to_4bit
from tasks.runtimes.exported import read_labels


def quantize_onnx(
    config: CompressConfig, onnx_folder: Path, dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Write the int8 form of an ONNX artifact, same files, to `output_dir`, with a threshold chosen on its own logits.

    Returns size and validation accuracy. Raises ArtifactError for an artifact that is damaged or
    answers other labels than the data set has.
    """
    model, description = read_model(onnx_folder)
    if not (onnx_folder / TOKENIZER_FILE).is_file():
        raise ArtifactError(
            f"{onnx_folder} lacks {TOKENIZER_FILE}: expected an ONNX artifact. Export the model again."
        )
    shutil.copyfile(onnx_folder / TOKENIZER_FILE, output_dir / TOKENIZER_FILE)
    require_labels(onnx_folder, read_labels(onnx_folder), dataset)
    if config.weights == "int8":
        quantized = to_dynamic_int8(model, config.quantize_embeddings)
    else:
        blocks = Weights4BitConfig(matrices="4bit" if config.weights == "int4" else "int8")
        quantized = to_4bit(model, blocks, embeddings=True)
    return write_ruled(output_dir, quantized, description, dataset, config.expected_share)
