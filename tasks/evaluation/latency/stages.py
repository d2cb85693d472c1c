"""Benchmark every form of the model. (Domain imports are inside the stage: a hit never pays for them.)"""

import json
from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from infra.store.references import ArtifactRef
from tasks.evaluation.latency.config import BenchmarkConfig, BodiesConfig, TimingConfig
from tasks.evaluation.latency.section import READS, benchmark_section, bodies_section
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReleaseRef, ReportRef


@stage(version=5, output=ReportRef, machine=True, section=benchmark_section, reads=READS)
def benchmark(
    run: StageRun, config: BenchmarkConfig, dataset: DatasetRef, models: Mapping[str, ArtifactRef]
) -> Metrics:
    """Size, latency of one query and throughput of every form and of the yardstick, side by side."""
    from tasks.evaluation.latency import measure

    folders = {name: run.path(ref) for name, ref in models.items()}
    return measure.benchmark(config, folders, run.path(dataset), run.output_dir)


@stage(version=3, output=ReportRef, machine=True)
def time_model(run: StageRun, config: TimingConfig, model: ReleaseRef, dataset: DatasetRef) -> Metrics:
    """Size of one model and latency of one query, on one thread."""
    from tasks.evaluation.latency import single

    timing = single.time_model(config, run.path(model), run.path(dataset))
    (run.output_dir / "timing.json").write_text(json.dumps(timing, indent=2) + "\n")
    return timing


@stage(version=1, output=ReportRef, machine=True, section=bodies_section, reads=READS)
def time_bodies(run: StageRun, config: BodiesConfig, models: Mapping[str, CheckpointRef]) -> Metrics:
    """Size of encoders, and latency of their bodies without tokenizer and head, side by side."""
    from tasks.evaluation.latency import bodies

    return bodies.time_bodies(config, {name: run.path(ref) for name, ref in models.items()}, run.output_dir)
