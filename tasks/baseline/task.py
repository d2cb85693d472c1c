"""Fit the TF-IDF baseline. (Domain imports are inside the stage: a hit never pays for scikit-learn.)"""

from infra.artifact import BaselineRef, DatasetRef
from infra.stage import Metrics, StageRun, stage
from tasks.baseline.config import BaselineConfig


@stage(version=1, output=BaselineRef)
def fit_baseline(run: StageRun, config: BaselineConfig, dataset: DatasetRef) -> Metrics:
    """TF-IDF of words and characters with logistic regression, with every model's out-of-scope rule."""
    from tasks.baseline import tfidf

    return tfidf.fit_baseline(config, run.path(dataset), run.output_dir)
