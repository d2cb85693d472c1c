"""Evaluate masked language models. (The domain is imported inside the stage: a hit never pays for it.)"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.language_models.config import EvaluateLmConfig
from tasks.evaluation.language_models.section import lm_section
from tasks.formats.kinds import CheckpointRef, MasksRef, ReportRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=2, output=ReportRef, section=lm_section, reads=(REPORT_FILE,))
def evaluate_lm(
    run: StageRun, config: EvaluateLmConfig, models: Mapping[str, CheckpointRef], masks: MasksRef
) -> Metrics:
    """Perplexity of each model on the same hidden tokens, and what it puts into gaps."""
    from tasks.evaluation.language_models.evaluate import evaluate_lm as evaluate

    folders = {name: run.path(ref) for name, ref in models.items()}
    return evaluate(config, folders, run.path(masks), run.output_dir)
