"""Evaluate completions. (The domain is imported inside the stage: a hit never pays for it.)"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.evaluation.completions.section import completion_section
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=ReportRef, section=completion_section, reads=(REPORT_FILE,), process=True)
def complete_prompts(
    run: StageRun,
    config: CompletePromptsConfig,
    models: Mapping[str, CheckpointRef],
    tokens: TokensRef,
    dataset: DatasetRef,
) -> Metrics:
    """Whether it is Python what each model makes of held-out signatures."""
    from tasks.evaluation.completions.measure import complete_prompts as complete

    folders = {name: run.path(ref) for name, ref in models.items()}
    return complete(config, folders, run.path(tokens), run.path(dataset), run.output_dir)
