"""Quantize: dynamic int8, weights as signed bytes with a scale for each column, activations with one for each call."""

import shutil
import tempfile
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from infra.errors import ArtifactError
from tasks.compress.config import CompressConfig
from tasks.onnx_model.folder import TOKENIZER_FILE, read_model, require_labels, write_ruled
from tasks.onnx_model.graph import prune, strip
from tasks.runtimes.onnx import read_labels

MATRICES = ("MatMul", "Gemm", "Attention")
EMBEDDINGS = ("Gather",)


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
    quantized = quantize_graph(model, config.quantize_embeddings)
    return write_ruled(output_dir, quantized, description, dataset, config.expected_share)


def quantize_graph(model: ModelProto, embeddings: bool) -> ModelProto:
    """An int8 copy of a float32 graph without its out-of-scope rule.

    Matrices, fused attention's among them, become QInt8 per column: ranges of 7 bits or unsigned weights cost
    agreement on any CPU with VNNI and gain nothing. Embeddings become int8 with one scale for a table. Biases, norms
    and softmax stay float32. The product of attention's weights with its values is of two activations and stays too.
    """
    marked = ModelProto.FromString(model.SerializeToString())
    add_pre_process_metadata(
        marked
    )  # the graph is simplified already: the quantizer need not advise to do so
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_dynamic(
            marked,
            target,
            op_types_to_quantize=[*MATRICES, *(EMBEDDINGS if embeddings else ())],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )
        quantized = onnx.load(target)
    prune(quantized.graph)
    strip(quantized)
    return quantized
