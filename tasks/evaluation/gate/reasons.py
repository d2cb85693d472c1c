"""The verdict in words: one plain sentence or two for each condition, passed or not."""

from tasks.evaluation.gate.conditions import faster, judge_accuracy, smaller
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.latency.speed import FEWEST_ROUNDS
from tasks.formats.benchmark_report import BenchmarkReport, Timing
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.gate_verdict import ClassFall, GateVerdict
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE

NAMED_CLASSES = 5
SPEED_IS_TOLD = " Speed is told and decides nothing here (gate.faster)."


def explain(
    config: GateConfig, verdict: GateVerdict, evaluation: EvaluationReport, benchmark: BenchmarkReport
) -> tuple[str, ...]:
    """Size, latency, accuracy, classes and the baseline, in this order."""
    reference, candidate = benchmark.timing(REFERENCE), benchmark.timing(CANDIDATE)
    return (
        size_reason(reference, candidate),
        latency_reason(verdict, reference, candidate) + ("" if config.faster else SPEED_IS_TOLD),
        accuracy_reason(verdict),
        class_reason(verdict),
        baseline_reason(verdict, evaluation),
    )


def size_reason(reference: Timing, candidate: Timing) -> str:
    """One sentence: smaller or not."""
    word = "Smaller" if smaller(reference, candidate) else "Not smaller"
    sizes = (
        f"{candidate.size_bytes / 1e6:.2f} MB against the {REFERENCE}'s {reference.size_bytes / 1e6:.2f} MB"
    )
    return f"{word}: {sizes} ({reference.size_bytes / candidate.size_bytes:.1f}x)."


def latency_reason(verdict: GateVerdict, reference: Timing, candidate: Timing) -> str:
    """One sentence or two: shown to be faster, or not, with the interval of the ratio."""
    times = f"{candidate.p50_ms:.2f} ms at p50 against the {REFERENCE}'s {reference.p50_ms:.2f} ms"
    rounds = len(candidate.round_p50_ms)
    if verdict.latency_interval is None:
        return (
            f"Not shown to be faster: {times} ({verdict.latency_ratio:.1f}x), measured in {rounds} rounds. "
            f"An interval needs {FEWEST_ROUNDS} at least (benchmark.rounds)."
        )
    low, high = verdict.latency_interval
    precise = 1 if low >= 2 else 2
    ratio = (
        f"{verdict.latency_ratio:.{precise}f}x, {verdict.confidence:.0%} interval {low:.{precise}f} to "
        f"{high:.{precise}f} over {rounds} interleaved rounds"
    )
    if faster(verdict.latency_interval):
        return f"Faster: {times} ({ratio})."
    if high < 1:
        return f"Not faster: {times} ({ratio})."
    return (
        f"Not shown to be faster: {times} ({ratio}, which holds 1). More rounds may tell (benchmark.rounds)."
    )


def accuracy_reason(verdict: GateVerdict) -> str:
    """Two or three sentences: non-inferior, worse, or not enough rows to tell, with interval and power."""
    low, high = verdict.interval
    evidence = (
        f"{points(verdict.accuracy_difference)} of accuracy against the {REFERENCE} on {verdict.rows:,} rows, "
        f"{verdict.confidence:.0%} interval {low * 100:+.2f} to {high * 100:+.2f}, "
        f"margin {-verdict.margin * 100:+.2f}. An equally accurate model would pass on these rows with a "
        f"chance of {verdict.power:.0%}."
    )
    outcome = judge_accuracy(verdict.interval, verdict.margin)
    if outcome == "pass":
        return f"Not worse by more than the margin: {evidence}"
    if outcome == "fail":
        return f"Worse by more than the margin: {evidence}"
    if verdict.verdict == "fail":
        return f"Undecided: {evidence}"  # More rows would not help: another condition failed.
    if verdict.rows_needed is None:
        return f"Undecided: {evidence} The loss is exactly the margin: no number of rows can be named."
    likely = "pass" if verdict.accuracy_difference > -verdict.margin else "fail"
    return (
        f"Undecided: {evidence} About {verdict.rows_needed:,} test rows would decide, most likely {likely}."
    )


def class_reason(verdict: GateVerdict) -> str:
    """One or two sentences: which classes lost too much, or that none is shown to, and what would be seen."""
    floor = f"{verdict.class_floor * 100:.0f} points of recall"
    tests = f"exact tests of {verdict.classes} classes, together at {1 - verdict.confidence:.0%}"
    if verdict.failed_classes:
        named = ", ".join(fall_text(fall) for fall in verdict.failed_classes[:NAMED_CLASSES])
        more = len(verdict.failed_classes) - NAMED_CLASSES
        return (
            f"Classes that lost more than {floor}: {named}{f' and {more} more' if more > 0 else ''}; {tests}."
        )
    seen = "no fall" if verdict.visible_fall is None else f"a fall of {verdict.visible_fall * 100:.0f} points"
    return (
        f"No class is shown to lose more than {floor}: {tests}, which would see {seen} in a class of median size. "
        f"Lowest: {fall_text(verdict.largest_fall)}."
    )


def fall_text(fall: ClassFall) -> str:
    """A class and what its recall did."""
    return f"{fall.label} {points(fall.recall_difference)} on {fall.rows:,} rows (p = {fall.p_value:.2g})"


def baseline_reason(verdict: GateVerdict, evaluation: EvaluationReport) -> str:
    """One or two sentences on TF-IDF, which a user would pick instead. It is said; it is no condition."""
    against = evaluation.against_baseline
    if against is None:
        return "There is no TF-IDF baseline to compare with."
    released, tfidf = evaluation.scores(CANDIDATE).accuracy, evaluation.scores(BASELINE).accuracy
    low, high = (100 * end for end in against.interval)
    evidence = f"{released:.3f} against {tfidf:.3f} ({points(against.accuracy)}, 95% interval {low:+.2f} to {high:+.2f})."
    if verdict.beats_baseline:
        return f"Beats the TF-IDF baseline: {evidence}"
    if high > 0:
        return f"Not shown to beat the TF-IDF baseline: {evidence} More test rows may tell."
    teacher = evaluation.scores(REFERENCE).accuracy
    also = "though the teacher does" if teacher > tfidf else "and neither does the teacher"
    plainly = f"Does NOT beat the TF-IDF baseline, {also} ({teacher:.3f}): {evidence}"
    return f"{plainly} TF-IDF may be the better choice here."


def points(share: float) -> str:
    """A share as signed percentage points: -0.0191 is '-1.91 points'."""
    return f"{share * 100:+.2f} points"
