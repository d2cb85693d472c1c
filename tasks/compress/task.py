"""Compress: cut the embeddings, export to ONNX, quantize to int8, and prove that both answer as PyTorch does.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from infra.store.references import CheckpointRef, DatasetRef, OnnxModelRef, ReportRef
from tasks.compress import section
from tasks.compress.config import CompressConfig, ParityConfig
from tasks.encoder.section import READS
from tasks.size.config import SizeConfig


@stage(version=1, output=CheckpointRef, section=section.shrunk_section, reads=READS)
def shrink(run: StageRun, config: SizeConfig, student: CheckpointRef, dataset: DatasetRef) -> Metrics:
    """The student with fewer tokens, narrower embeddings and fewer positions."""
    from tasks.size import shrink as size

    return size.shrink(config, run.path(student), run.path(dataset), run.output_dir)


@stage(version=2, output=OnnxModelRef, section=section.exported_section, reads=section.GRAPH_READS)
def export_onnx(
    run: StageRun, config: CompressConfig, student: CheckpointRef, dataset: DatasetRef
) -> Metrics:
    """The student as one float32 ONNX file with the out-of-scope rule inside."""
    from tasks.compress import export

    return export.export_onnx(config, run.path(student), run.path(dataset), run.output_dir)


@stage(version=2, output=OnnxModelRef, section=section.quantized_section, reads=section.GRAPH_READS)
def quantize(run: StageRun, config: CompressConfig, model: OnnxModelRef, dataset: DatasetRef) -> Metrics:
    """The same in dynamic int8."""
    from tasks.compress.quantize import quantize_onnx

    return quantize_onnx(config, run.path(model), run.path(dataset), run.output_dir)


@stage(version=3, output=ReportRef, section=section.parity_section, reads=section.PARITY_READS)
def check_parity(
    run: StageRun,
    config: ParityConfig,
    student: CheckpointRef,
    onnx: OnnxModelRef,
    onnx_int8: OnnxModelRef,
    dataset: DatasetRef,
) -> Metrics:
    """Both graphs against PyTorch; raises ParityError."""
    from tasks.compress import parity

    inputs = run.path(student), run.path(onnx), run.path(onnx_int8), run.path(dataset)
    return parity.check_parity(config, *inputs, run.output_dir)
