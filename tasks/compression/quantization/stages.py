"""Quantize to int8. (Domain imports are inside the stage: a cached run never pays for importing onnx.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.compression.export import section
from tasks.compression.export.config import CompressConfig
from tasks.compression.quantization.section import quantized_section
from tasks.formats.kinds import DatasetRef, OnnxModelRef


@stage(version=3, output=OnnxModelRef, section=quantized_section, reads=section.GRAPH_READS)
def quantize(run: StageRun, config: CompressConfig, model: OnnxModelRef, dataset: DatasetRef) -> Metrics:
    """The same in dynamic int8."""
    from tasks.compression.quantization.quantize import quantize_onnx

    return quantize_onnx(config, run.path(model), run.path(dataset), run.output_dir)
