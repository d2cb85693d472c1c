"""The n-gram baseline. (The domain is imported inside the stage: a hit never pays for it.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.baselines.ngrams.config import NgramConfig
from tasks.baselines.ngrams.section import ngram_section
from tasks.formats.kinds import MasksRef, ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=ReportRef, section=ngram_section, reads=(REPORT_FILE,))
def ngrams(run: StageRun, config: NgramConfig, tokens: TokensRef, masks: MasksRef) -> Metrics:
    """n-grams from both sides that see exactly what the model sees."""
    from tasks.baselines.ngrams.measure import measure_ngrams

    return measure_ngrams(config, run.path(tokens), run.path(masks), run.output_dir)
