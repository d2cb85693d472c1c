"""Fit the baselines. (Domain imports are inside the stages: a hit never pays for scikit-learn.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.baselines import section
from tasks.baselines.config import BaselineConfig, FastTextConfig
from tasks.formats.kinds import BaselineRef, DatasetRef


@stage(version=2, output=BaselineRef, section=section.tfidf_section, reads=section.TFIDF_READS)
def fit_baseline(run: StageRun, config: BaselineConfig, dataset: DatasetRef) -> Metrics:
    """TF-IDF of words and characters with logistic regression, with every model's out-of-scope rule."""
    from tasks.baselines import tfidf

    return tfidf.fit_baseline(config, run.path(dataset), run.output_dir)


@stage(version=2, output=BaselineRef, section=section.fast_text_section, reads=section.FAST_TEXT_READS)
def fit_fast_text(run: StageRun, config: FastTextConfig, dataset: DatasetRef) -> Metrics:
    """fastText, plain or quantized, with every model's out-of-scope rule. Needs the extra `bench`."""
    from tasks.baselines import fast_text

    return fast_text.fit_fast_text(config, run.path(dataset), run.output_dir)
