"""Evaluate: every model's answers on the same test rows, scored and drawn."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError, DataError
from tasks.evaluate.config import EvaluateConfig
from tasks.evaluate.metrics import Answers, class_scores, score_model, top_confusions
from tasks.evaluate.plots import (
    plot_confidence,
    plot_confusion,
    plot_reliability,
    plot_risk_coverage,
    plot_roc,
)
from tasks.evaluate.predict import LOGITS_FILES
from tasks.labelled_text.dataset import DatasetInfo, load_info, load_split
from tasks.results.roles import BASELINE, CANDIDATE, REFERENCE
from tasks.results.values import EvaluationReport, write_report


def evaluate(
    config: EvaluateConfig, predictions: Mapping[str, Path], dataset: Path, output_dir: Path
) -> dict[str, float]:
    """Write `report.json` and the plots to `output_dir`.

    Args:
        config: bins, and how much is kept and drawn.
        predictions: name of a model to the folder of its predictions; `released` is among them.
        dataset: the curated data set that they are of.
        output_dir: where the report goes.

    Returns:
        Flat figures, such as `released_accuracy`.

    Raises:
        ArtifactError: predictions are missing, of other rows or classes, or not finite.
        DataError: the test split has rows of one class only.
    """
    info, test = load_info(dataset), load_split(dataset, "test")
    present = np.unique(test.labels)
    if len(present) < 2:
        found = ", ".join(repr(info.labels[i]) for i in present) or "none"
        raise DataError(
            f"the {len(test)} test rows are of {len(present)} class ({found}): expected two or more, for "
            "accuracy on one class says nothing. Give the test split rows of every class."
        )
    models = {
        name: read_answers(folder, test.labels, len(info.labels)) for name, folder in predictions.items()
    }
    report = EvaluationReport(
        test_rows=len(test),
        labels=info.labels,
        out_of_scope=info.out_of_scope,
        models=tuple(
            score_model(name, model, info.out_of_scope_id, config.bins) for name, model in models.items()
        ),
        per_class=class_scores(models[CANDIDATE], info.labels),
        confusions=top_confusions(models[CANDIDATE], info.labels, config.confusions),
    )
    write_report(output_dir, report)
    draw(config, models, info, output_dir)
    return flat_metrics(report)


def read_answers(folder: Path, labels: np.ndarray, classes: int) -> Answers:
    """Test logits of one model with the true labels; raises ArtifactError when they are not of these rows."""
    path = folder / LOGITS_FILES["test"]
    try:
        logits = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}): expected logits. Run predict again."
        ) from error
    if logits.shape != (len(labels), classes):
        raise ArtifactError(
            f"{path} has shape {logits.shape}: expected {(len(labels), classes)}, a row for each test text "
            "and a column for each label of this data set. Run predict on it again."
        )
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise ArtifactError(
            f"{path} has NaN or infinity in {broken} rows: expected finite logits. Run predict again."
        )
    return Answers(logits, labels)


def draw(config: EvaluateConfig, models: Mapping[str, Answers], info: DatasetInfo, folder: Path) -> None:
    """Every plot of the evaluation, as PNG."""
    outside = info.out_of_scope_id
    if outside is not None and len(np.unique(models[CANDIDATE].labels == outside)) < 2:
        outside = None  # rows of one side only have no curve
    compared = {name: models[name] for name in (REFERENCE, CANDIDATE, BASELINE) if name in models}
    plot_confusion(folder / "confusion.png", models[CANDIDATE], info.labels, config.classes_drawn)
    plot_roc(folder / "roc.png", compared, outside)
    plot_reliability(
        folder / "reliability.png", {n: models[n] for n in (REFERENCE, CANDIDATE) if n in models}, config.bins
    )
    plot_confidence(folder / "confidence.png", models[CANDIDATE])
    plot_risk_coverage(folder / "risk_coverage.png", compared)


def flat_metrics(report: EvaluationReport) -> dict[str, float]:
    """`<model>_<figure>` for every figure that is there."""
    return {
        f"{model.name}_{figure}": value
        for model in report.models
        for figure, value in model.model_dump(exclude={"name"}).items()
        if value is not None
    }
