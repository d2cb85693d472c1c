"""The n-gram baseline of causal language models. (The domain is imported inside the stage: a hit never pays for it.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.baselines.causal_ngrams.config import CausalNgramConfig
from tasks.baselines.causal_ngrams.section import causal_ngram_section
from tasks.formats.kinds import ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=ReportRef, section=causal_ngram_section, reads=(REPORT_FILE,))
def causal_ngrams(run: StageRun, config: CausalNgramConfig, tokens: TokensRef) -> Metrics:
    """n-grams of the training part on the test split, alone and with a cache of the document."""
    from tasks.baselines.causal_ngrams.measure import measure_causal_ngrams

    return measure_causal_ngrams(config, run.path(tokens), run.output_dir)
