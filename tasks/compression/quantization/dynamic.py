"""Dynamic int8: weights as signed bytes with a scale for each column, activations with a scale for each call."""

import tempfile
from collections.abc import Collection
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from tasks.compression.export.graph import prune, strip

MATRICES = ("MatMul", "Gemm", "Attention")
EMBEDDINGS = ("Gather",)


def to_dynamic_int8(model: ModelProto, embeddings: bool, exclude: Collection[str] = ()) -> ModelProto:
    """An int8 copy of a float32 graph without its out-of-scope rule.

    Matrices, fused attention's among them, become QInt8 per column: ranges of 7 bits or unsigned weights cost
    agreement on any CPU with VNNI and gain nothing. Embeddings become bytes with one scale and zero point for a table.
    Biases, norms and softmax stay float32. The product of attention's weights with its values is of two activations and
    stays too. `exclude` names nodes that stay as they are.
    """
    marked = ModelProto.FromString(model.SerializeToString())
    # The graph is simplified already: the quantizer need not advise to do so.
    add_pre_process_metadata(marked)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_dynamic(
            marked,
            target,
            op_types_to_quantize=[*MATRICES, *(EMBEDDINGS if embeddings else ())],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QInt8,
            # A Gemm is a MatMul and an Add by the time the quantizer looks at names.
            nodes_to_exclude=[name for node in exclude for name in (node, f"{node}_MatMul")],
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )
        quantized = onnx.load(target)
    prune(quantized.graph)
    strip(quantized)
    return quantized
