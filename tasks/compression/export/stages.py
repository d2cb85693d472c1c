"""Export to ONNX, and prove that each graph answers as PyTorch does.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.compression.export import section
from tasks.compression.export.config import CompressConfig, ParityConfig
from tasks.formats.kinds import CheckpointRef, DatasetRef, OnnxModelRef, ReportRef


@stage(version=2, output=OnnxModelRef, section=section.exported_section, reads=section.GRAPH_READS)
def export_onnx(
    run: StageRun, config: CompressConfig, student: CheckpointRef, dataset: DatasetRef
) -> Metrics:
    """The student as one float32 ONNX file with the out-of-scope rule inside."""
    from tasks.compression.export import export

    return export.export_onnx(config, run.path(student), run.path(dataset), run.output_dir)


@stage(version=4, output=ReportRef, section=section.parity_section, reads=section.PARITY_READS)
def check_parity(
    run: StageRun,
    config: ParityConfig,
    student: CheckpointRef,
    onnx: OnnxModelRef,
    onnx_int8: OnnxModelRef,
    dataset: DatasetRef,
) -> Metrics:
    """Both graphs against PyTorch; raises ParityError."""
    from tasks.compression.export import parity

    inputs = run.path(student), run.path(onnx), run.path(onnx_int8), run.path(dataset)
    return parity.check_parity(config, *inputs, run.output_dir)
