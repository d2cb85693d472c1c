"""Evaluate causal language models. (The domain is imported inside the stage: a hit never pays for it.)"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.causal_lm.config import EvaluateCausalLmConfig
from tasks.evaluation.causal_lm.section import causal_lm_section
from tasks.formats.kinds import CheckpointRef, ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=ReportRef, section=causal_lm_section, reads=(REPORT_FILE,))
def evaluate_causal_lm(
    run: StageRun, config: EvaluateCausalLmConfig, models: Mapping[str, CheckpointRef], tokens: TokensRef
) -> Metrics:
    """Bits a byte of each model on the text that was held out."""
    from tasks.evaluation.causal_lm.evaluate import evaluate_causal_lm as evaluate

    folders = {name: run.path(ref) for name, ref in models.items()}
    return evaluate(config, folders, run.path(tokens), run.output_dir)
