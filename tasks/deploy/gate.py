"""The gate: is the small model smaller, faster, and not worse than its teacher by more than a margin?

*pass*: smaller, faster, and the whole interval of the accuracy difference lies above minus the margin.
*fail*: not smaller, or not faster, or the whole interval lies below. Otherwise the test split is too
small to tell:
*needs more rows*, with the number that would.
"""

from pathlib import Path

import numpy as np

from infra.errors import ArtifactError
from tasks.deploy.config import GateConfig
from tasks.deploy.paired import PairedCounts, bootstrap_interval, count_pairs, mcnemar_p, rows_needed
from tasks.results.values import BenchmarkReport, EvaluationReport, GateVerdict, Timing, Verdict

REFERENCE, CANDIDATE, BASELINE = "teacher", "released", "tfidf"


def decide(
    config: GateConfig,
    evaluation: EvaluationReport,
    benchmark: BenchmarkReport,
    reference: Path,
    candidate: Path,
    labels: np.ndarray,
) -> GateVerdict:
    """Judge the released model against the teacher.

    Args: the reports on both; their predictions folders (with `test_logits.npy` [n, C]); true test label
    ids [n].
    Raises ArtifactError when a model was not measured or the predictions are not of these rows.
    """
    if evaluation.test_rows != len(labels):
        raise ArtifactError(
            f"the evaluation is of {evaluation.test_rows} test rows and the data set has {len(labels)}: "
            "expected the same rows. Evaluate on this data set again."
        )
    counts = count_pairs(labels, answers(reference), answers(candidate))
    interval = bootstrap_interval(counts, config.confidence, config.resamples, config.seed)
    teacher, released = benchmark.timing(REFERENCE), benchmark.timing(CANDIDATE)
    accuracy = judge_accuracy(interval, config.margin)
    verdict = accuracy if smaller(teacher, released) and faster(teacher, released) else "fail"
    needed = rows_needed(counts, config.margin, config.confidence, config.power)
    return GateVerdict(
        verdict=verdict,
        reasons=(
            size_reason(teacher, released),
            latency_reason(teacher, released),
            accuracy_reason(config, counts, interval, needed),
            baseline_reason(evaluation),
        ),
        candidate=CANDIDATE,
        reference=REFERENCE,
        margin=config.margin,
        confidence=config.confidence,
        accuracy_difference=counts.difference,
        interval=interval,
        mcnemar_p=mcnemar_p(counts),
        rows=counts.rows,
        rows_needed=needed if verdict == "needs_more_rows" else None,
        size_ratio=teacher.size_bytes / released.size_bytes,
        latency_ratio=teacher.p50_ms / released.p50_ms,
        beats_baseline=beats_baseline(evaluation, CANDIDATE),
    )


def judge_accuracy(interval: tuple[float, float], margin: float) -> Verdict:
    """The verdict on accuracy alone, from the interval of the difference."""
    low, high = interval
    if low > -margin:
        return "pass"
    return "fail" if high < -margin else "needs_more_rows"


def answers(folder: Path) -> np.ndarray:
    """Label ids [n] that a model answers on the test split, from the logits [n, C] in `folder`."""
    path = folder / "test_logits.npy"
    if not path.is_file():
        raise ArtifactError(
            f"{folder} has no test_logits.npy: expected a model's predictions. Run predict again."
        )
    return np.load(path, allow_pickle=False).argmax(axis=-1)


def smaller(reference: Timing, candidate: Timing) -> bool:
    """Whether the candidate takes less disk than the reference."""
    return candidate.size_bytes < reference.size_bytes


def faster(reference: Timing, candidate: Timing) -> bool:
    """Whether the candidate's median latency is below the reference's."""
    return candidate.p50_ms < reference.p50_ms


def beats_baseline(evaluation: EvaluationReport, name: str) -> bool | None:
    """Whether a model is more accurate than TF-IDF; None when no baseline was evaluated."""
    if BASELINE not in {scores.name for scores in evaluation.models}:
        return None
    return evaluation.scores(name).accuracy > evaluation.scores(BASELINE).accuracy


def size_reason(reference: Timing, candidate: Timing) -> str:
    """One sentence: smaller or not."""
    word = "Smaller" if smaller(reference, candidate) else "Not smaller"
    sizes = (
        f"{candidate.size_bytes / 1e6:.2f} MB against the {REFERENCE}'s {reference.size_bytes / 1e6:.2f} MB"
    )
    return f"{word}: {sizes} ({reference.size_bytes / candidate.size_bytes:.1f}x)."


def latency_reason(reference: Timing, candidate: Timing) -> str:
    """One sentence: faster or not."""
    word = "Faster" if faster(reference, candidate) else "Not faster"
    times = f"{candidate.p50_ms:.2f} ms at p50 against the {REFERENCE}'s {reference.p50_ms:.2f} ms"
    return f"{word}: {times} ({reference.p50_ms / candidate.p50_ms:.1f}x)."


def accuracy_reason(
    config: GateConfig, counts: PairedCounts, interval: tuple[float, float], needed: int | None
) -> str:
    """One or two sentences: non-inferior, worse, or not enough rows to tell, with the interval in points."""
    low, high = interval
    evidence = (
        f"{points(counts.difference)} of accuracy against the {REFERENCE} on {counts.rows:,} rows, "
        f"{config.confidence:.0%} interval {low * 100:+.2f} to {high * 100:+.2f}, "
        f"margin {-config.margin * 100:+.2f}."
    )
    verdict = judge_accuracy(interval, config.margin)
    if verdict == "pass":
        return f"Not worse by more than the margin: {evidence}"
    if verdict == "fail":
        return f"Worse by more than the margin: {evidence}"
    if needed is None:
        return f"Undecided: {evidence} The loss is exactly the margin: no number of rows can be named."
    outcome = "pass" if counts.difference > -config.margin else "fail"
    return f"Undecided: {evidence} About {needed:,} test rows would decide, most likely {outcome}."


def baseline_reason(evaluation: EvaluationReport) -> str:
    """One or two sentences on TF-IDF, which a user would pick instead. It is said; it is no condition."""
    beaten = beats_baseline(evaluation, CANDIDATE)
    if beaten is None:
        return "There is no TF-IDF baseline to compare with."
    released, tfidf = evaluation.scores(CANDIDATE).accuracy, evaluation.scores(BASELINE).accuracy
    evidence = f"{released:.3f} against {tfidf:.3f} ({points(released - tfidf)})."
    if beaten:
        return f"Beats the TF-IDF baseline: {evidence}"
    teacher = evaluation.scores(REFERENCE).accuracy
    also = "though the teacher does" if teacher > tfidf else "and neither does the teacher"
    plainly = f"Does NOT beat the TF-IDF baseline, {also} ({teacher:.3f}): {evidence}"
    return f"{plainly} TF-IDF may be the better choice here."


def points(share: float) -> str:
    """A share as signed percentage points: -0.0191 is '-1.91 points'."""
    return f"{share * 100:+.2f} points"
