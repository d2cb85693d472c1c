"""Evaluate: every model's answers on the same test rows, scored and drawn."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from infra.errors import DataError
from tasks.decision.rule import apply_rule, choose_rule
from tasks.decision.temperature import apply_temperature, choose_temperature
from tasks.evaluation import plots
from tasks.evaluation.config import EvaluateConfig
from tasks.formats.dataset import DatasetInfo, Split, load_info, load_split
from tasks.formats.evaluation_report import Difference, EvaluationReport
from tasks.formats.predictions import read_predictions
from tasks.formats.report_file import write_report
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE
from tasks.formats.shares import Shares
from tasks.metrics.paired import count_pairs, score_interval
from tasks.metrics.scores import Answered, Answers, class_scores, score_model, top_confusions

CONFIDENCE = 0.95
ROUNDED = 1e-6  # a rule keeps six digits of its share


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
    validation = load_split(dataset, "validation")
    answered = {name: read_answered(folder, validation, test, info) for name, folder in predictions.items()}
    models = {name: answers.served for name, answers in answered.items()}
    report = EvaluationReport(
        test_rows=len(test),
        labels=info.labels,
        out_of_scope=info.out_of_scope,
        shares=shares(config, answered[CANDIDATE], validation, info),
        against_baseline=against_baseline(models),
        models=tuple(
            score_model(name, model, info.out_of_scope_id, config.bins) for name, model in answered.items()
        ),
        per_class=class_scores(models[CANDIDATE], info.labels),
        confusions=top_confusions(models[CANDIDATE], info.labels, config.confusions),
    )
    write_report(output_dir, report)
    draw(config, models, info, output_dir)
    return flat_metrics(report)


def read_answered(folder: Path, validation: Split, test: Split, info: DatasetInfo) -> Answered:
    """One model's answers on test: as served, by the rule for validation's own share, and without any rule.

    Raises ArtifactError when the predictions are not of these rows.
    """
    column = info.out_of_scope_id
    known, asked = (
        read_predictions(folder, name, len(split), len(info.labels))
        for name, split in (("validation", validation), ("test", test))
    )
    served = Answers(asked.logits, test.labels)
    if column is None:
        return Answered(served, served, served, None)
    before, own = known.unruled(column), asked.unruled(column)
    rule = choose_rule(before, validation.labels, info, None)
    temperature = choose_temperature(apply_rule(before, rule, column), validation.labels, info, None)
    ruled = apply_temperature(apply_rule(own, rule, column), temperature)
    share = None if asked.decision.rule is None else asked.decision.rule.expected_share
    return Answered(served, Answers(ruled, test.labels), Answers(own, test.labels), share)


def against_baseline(models: Mapping[str, Answers]) -> Difference | None:
    """How much more accurate the candidate is, with its interval; None where no baseline is among the models."""
    if BASELINE not in models:
        return None
    baseline, candidate = models[BASELINE], models[CANDIDATE]
    counts = count_pairs(candidate.labels, baseline.predicted, candidate.predicted)
    return Difference(accuracy=counts.difference, interval=score_interval(counts, CONFIDENCE))


def shares(
    config: EvaluateConfig, candidate: Answered, validation: Split, info: DatasetInfo
) -> Shares | None:
    """What every table says of the threshold; None without an out-of-scope label."""
    if candidate.expected_share is None:
        return None
    own, tested = (
        float((labels == info.out_of_scope_id).mean())
        for labels in (validation.labels, candidate.served.labels)
    )
    source = config.expected_share_source
    if source is None and abs(candidate.expected_share - own) > ROUNDED:
        source = "as declared"
    return Shares(expected=candidate.expected_share, source=source, validation=own, test=tested)


def draw(config: EvaluateConfig, models: Mapping[str, Answers], info: DatasetInfo, folder: Path) -> None:
    """Every plot of the evaluation, as PNG."""
    outside = info.out_of_scope_id
    if outside is not None and len(np.unique(models[CANDIDATE].labels == outside)) < 2:
        outside = None  # rows of one side only have no curve
    compared = {name: models[name] for name in (REFERENCE, CANDIDATE, BASELINE) if name in models}
    plots.plot_confusion(folder / "confusion.png", models[CANDIDATE], info.labels, config.classes_drawn)
    plots.plot_roc(folder / "roc.png", compared, outside)
    neural = {name: answers for name, answers in compared.items() if name != BASELINE}
    plots.plot_reliability(folder / "reliability.png", neural, config.bins)
    plots.plot_confidence(folder / "confidence.png", models[CANDIDATE])
    plots.plot_risk_coverage(folder / "risk_coverage.png", compared)


def flat_metrics(report: EvaluationReport) -> dict[str, float]:
    """`<model>_<figure>` for every figure that is there."""
    return {
        f"{model.name}_{figure}": value
        for model in report.models
        for figure, value in model.model_dump(exclude={"name"}).items()
        if value is not None
    }
