"""Benchmark every form of the model. (Domain imports are inside the stage: a hit never pays for them.)"""

from infra.artifact import BaselineRef, CheckpointRef, DatasetRef, OnnxModelRef, ReleaseRef, ReportRef
from infra.stage import Metrics, StageRun, stage
from tasks.benchmark.config import BenchmarkConfig


@stage(version=3, output=ReportRef)
def benchmark(
    run: StageRun,
    config: BenchmarkConfig,
    dataset: DatasetRef,
    tfidf: BaselineRef,
    teacher: CheckpointRef,
    student: CheckpointRef,
    onnx: OnnxModelRef,
    onnx_int8: OnnxModelRef,
    released: ReleaseRef,
) -> Metrics:
    """Size, latency of one query and throughput of every form and of the yardstick, side by side."""
    from tasks.benchmark import measure

    refs = {
        "tfidf": tfidf,
        "teacher": teacher,
        "student": student,
        "onnx": onnx,
        "onnx_int8": onnx_int8,
        "released": released,
    }
    models = {name: run.path(ref) for name, ref in refs.items()}
    return measure.benchmark(config, models, run.path(dataset), run.output_dir)
