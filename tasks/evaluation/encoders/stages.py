"""How good classifiers from an encoder are, probed and fine-tuned, and which encoder to take.

Domain imports are inside the stages: a hit never pays for torch or scikit-learn.
"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.encoders.config import (
    CompareEncodersConfig,
    FineTuneConfig,
    PanelConfig,
    ProbeConfig,
)
from tasks.evaluation.encoders.section import comparison_section, panel_section
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReportRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=2, output=ReportRef)
def probe_encoder(run: StageRun, config: ProbeConfig, encoder: CheckpointRef, dataset: DatasetRef) -> Metrics:
    """Linear classifiers on the frozen vectors, from few labels to many."""
    from tasks.evaluation.encoders.probe import probe_encoder as probe

    return probe(config, run.path(encoder), run.path(dataset), run.output_dir)


@stage(version=1, output=ReportRef, process=True)
def fine_tune_encoder(
    run: StageRun, config: FineTuneConfig, encoder: CheckpointRef, dataset: DatasetRef
) -> Metrics:
    """The encoder fine-tuned from few labels to many."""
    from tasks.evaluation.encoders.fine_tune import fine_tune_encoder as fine_tune

    return fine_tune(config, run.path(encoder), run.path(dataset), run.output_dir, run.work_dir)


@stage(version=1, output=ReportRef, section=comparison_section, reads=(REPORT_FILE,))
def compare_encoders(
    run: StageRun, config: CompareEncodersConfig, scores: Mapping[str, ReportRef]
) -> Metrics:
    """Which encoder to take for how many labels: all beside the first."""
    from tasks.evaluation.encoders.compare import compare_encoders as compare

    folders = {name: run.path(ref) for name, ref in scores.items()}
    return compare(config, folders, run.output_dir)


@stage(version=1, output=ReportRef, section=panel_section, reads=(REPORT_FILE,))
def score_panel(run: StageRun, config: PanelConfig, scores: Mapping[str, ReportRef]) -> Metrics:
    """Fine-tuned encoders on several labelled sets: what share of the teacher's score each keeps."""
    from tasks.evaluation.encoders.panel import score_panel as score

    return score(config, {name: run.path(ref) for name, ref in scores.items()}, run.output_dir)
