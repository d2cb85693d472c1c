"""Predict with every form of the model, and evaluate; or look at validation alone.

Domain imports are inside the stages: a hit never pays for torch, scikit-learn or matplotlib.
"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from infra.store.references import ArtifactRef
from tasks.evaluation.config import EvaluateConfig, PredictConfig
from tasks.evaluation.section import READS, evaluation_section
from tasks.formats.kinds import DatasetRef, PredictionsRef, ReportRef


@stage(version=4, output=PredictionsRef)
def predict(run: StageRun, config: PredictConfig, model: ArtifactRef, dataset: DatasetRef) -> Metrics:
    """Logits of one model, whatever its runtime, over the validation and test splits, after the rule."""
    from tasks.evaluation import predict as domain

    return domain.predict(config, run.path(model), run.path(dataset), run.output_dir)


@stage(version=3, output=ReportRef)
def validate(run: StageRun, config: PredictConfig, model: ArtifactRef, dataset: DatasetRef) -> Metrics:
    """The accuracy that a search chooses by: of one model on validation, as expected in traffic."""
    from tasks.evaluation import predict as domain

    return domain.validate(config, run.path(model), run.path(dataset), run.output_dir)


@stage(version=3, output=ReportRef, section=evaluation_section, reads=READS)
def evaluate(
    run: StageRun, config: EvaluateConfig, dataset: DatasetRef, predictions: Mapping[str, PredictionsRef]
) -> Metrics:
    """Every model's answers on the same test rows, scored and drawn, in the order in which they are given."""
    from tasks.evaluation import evaluate as domain

    folders = {name: run.path(ref) for name, ref in predictions.items()}
    return domain.evaluate(config, folders, run.path(dataset), run.output_dir)
