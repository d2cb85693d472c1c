"""The gate: is the small model smaller, faster, and not worse than its teacher by more than a margin?

*pass*: smaller, shown to be faster (unless nobody asks for it), no class shown to be below its floor, and the
whole interval of the accuracy difference above minus the margin. *fail*: one of the first three is not so, or
the whole interval lies below. Otherwise the test split is too small to tell: *needs more rows*, with the number that would.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.errors import ArtifactError
from tasks.evaluation.gate.class_floors import class_falls, visible_fall
from tasks.evaluation.gate.conditions import beats_baseline, faster, judge_accuracy, smaller
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.reasons import explain
from tasks.evaluation.latency.speed import ratio_interval
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.gate_verdict import ClassFall, GateVerdict, Verdict
from tasks.formats.predictions import read_predictions
from tasks.formats.roles import CANDIDATE, REFERENCE
from tasks.metrics.paired import bootstrap_interval, count_pairs, mcnemar_p, score_interval
from tasks.metrics.power import power_of_equal, rows_needed


@dataclass(frozen=True)
class Answers:
    """What the test rows say: true label ids [n], and the ids that each model answers [n]."""

    labels: np.ndarray
    reference: np.ndarray
    candidate: np.ndarray


def decide(
    config: GateConfig,
    evaluation: EvaluationReport,
    benchmark: BenchmarkReport,
    reference: Path,
    candidate: Path,
    labels: np.ndarray,
) -> GateVerdict:
    """Judge the released model against the teacher.

    Args: the reports on both; the folders of their predictions; true test label ids [n].
    Raises ArtifactError when a model was not measured or the predictions are not of these rows.
    """
    if evaluation.test_rows != len(labels):
        raise ArtifactError(
            f"the evaluation is of {evaluation.test_rows} test rows and the data set has {len(labels)}: "
            "expected the same rows. Evaluate on this data set again."
        )
    given = (
        read_predictions(folder, "test", len(labels), len(evaluation.labels)).logits.argmax(axis=1)
        for folder in (reference, candidate)
    )
    return judge(config, evaluation, benchmark, Answers(labels, *given))


def judge(
    config: GateConfig, evaluation: EvaluationReport, benchmark: BenchmarkReport, given: Answers
) -> GateVerdict:
    """The verdict on answers in memory; see `decide`."""
    counts = count_pairs(given.labels, given.reference, given.candidate)
    teacher, released = benchmark.timing(REFERENCE), benchmark.timing(CANDIDATE)
    interval = score_interval(counts, config.confidence)
    speed = ratio_interval(teacher, released, config.confidence, config.resamples, config.seed)
    floor = config.effective_class_floor
    falls = class_falls(evaluation.labels, given.labels, given.reference, given.candidate, floor)
    failed = tuple(fall for fall in falls if fall.p_value <= 1 - config.confidence)
    fast = faster(speed) or not config.faster
    sound = smaller(teacher, released) and fast and not failed
    verdict: Verdict = judge_accuracy(interval, config.margin) if sound else "fail"
    needed = rows_needed(counts, config.margin, config.confidence, config.power)
    judged = GateVerdict(
        verdict=verdict,
        reasons=(),
        candidate=CANDIDATE,
        reference=REFERENCE,
        margin=config.margin,
        confidence=config.confidence,
        accuracy_difference=counts.difference,
        interval=interval,
        bootstrap_interval=bootstrap_interval(counts, config.confidence, config.resamples, config.seed),
        mcnemar_p=mcnemar_p(counts),
        rows=counts.rows,
        power=power_of_equal(counts, config.margin, config.confidence),
        rows_needed=needed if verdict == "needs_more_rows" else None,
        class_floor=floor,
        classes=len(falls),
        largest_fall=falls[0],
        failed_classes=failed,
        visible_fall=_visible(falls, floor, 1 - config.confidence),
        size_ratio=teacher.size_bytes / released.size_bytes,
        latency_ratio=teacher.p50_ms / released.p50_ms,
        latency_interval=speed,
        beats_baseline=beats_baseline(evaluation),
    )
    return judged.model_copy(update={"reasons": explain(config, judged, evaluation, benchmark)})


def _visible(falls: tuple[ClassFall, ...], floor: float, level: float) -> float | None:
    """What a class of median size would have to lose to fail."""
    return visible_fall(int(np.median([fall.rows for fall in falls])), len(falls), floor, level)
