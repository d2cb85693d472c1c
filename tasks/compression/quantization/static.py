"""Static int8: the ranges of activations are constants of the graph, so texts that share a batch do not share a range.

QDQ form: a pair of QuantizeLinear and DequantizeLinear marks what is int8, and ONNX Runtime makes integer kernels of the
marked when it loads the graph.
"""

import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import TensorData, TensorsData, save_tensors_data
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from tasks.compression.export.graph import prune, strip
from tasks.compression.quantization.calibration import Range, calibrate
from tasks.compression.quantization.config import CalibrationConfig
from tasks.compression.quantization.layers import find_layers, unfuse_attention
from tasks.inference.exported import Feeds

MULTIPLIED = ("MatMul", "Gemm")


def find_ranges(config: CalibrationConfig, model: ModelProto, feeds: Iterable[Feeds]) -> dict[str, Range]:
    """Ranges of what goes into each matrix of a float32 graph; raises DataError as `calibrate` does."""
    layers = find_layers(model.graph, embeddings=False)
    activations = sorted({layer.activation for layer in layers if layer.activation is not None})
    return calibrate(config, model, activations, feeds)


def to_static_int8(
    model: ModelProto, ranges: Mapping[str, Range], embeddings: bool, exclude: Collection[str] = ()
) -> ModelProto:
    """An int8 copy in QDQ form of a float32 graph without its out-of-scope rule.

    Weights as in dynamic int8. What goes into a matrix is uint8 over `ranges`; what comes out stays float32, for it is
    summed, normed or passed through a function next: with int8 outputs too, the KL divergence is ten times as large.
    `exclude` names nodes that stay as they are.
    """
    marked = ModelProto.FromString(model.SerializeToString())
    unfuse_attention(marked.graph)
    _say_types(marked)
    add_pre_process_metadata(marked)
    with tempfile.TemporaryDirectory() as name:
        cache, target = Path(name) / "ranges.json", Path(name) / "int8.onnx"
        save_tensors_data(_tensors_data(ranges), cache)
        quantize_static(
            marked,
            target,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*MULTIPLIED, *(["Gather"] if embeddings else [])],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(exclude),
            calibrate_method=CalibrationMethod.MinMax,
            calibration_cache_path=cache,
            extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": list(MULTIPLIED)},
        )
        quantized = onnx.load(target)
    prune(quantized.graph)
    strip(quantized)
    return quantized


def _say_types(model: ModelProto) -> None:
    """Say that activations are float32: shape inference does not see behind fused attention."""
    graph = model.graph
    known = {value.name for value in (*graph.value_info, *graph.output)}
    named = {layer.activation for layer in find_layers(graph)} | {
        output for node in graph.node if node.op_type in (*MULTIPLIED, "Gather") for output in node.output
    }
    for name in sorted(name for name in named if name is not None and name not in known):
        graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _tensors_data(ranges: Mapping[str, Range]) -> TensorsData:
    values = {
        name: TensorData(lowest=np.float32(found.low), highest=np.float32(found.high))
        for name, found in ranges.items()
    }
    return TensorsData(CalibrationMethod.MinMax, values)
