"""What the gate asks, a function each: smaller, faster, accurate enough. TF-IDF is compared with, and is no condition."""

from tasks.formats.benchmark_report import Timing
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.gate_verdict import Verdict


def smaller(reference: Timing, candidate: Timing) -> bool:
    """Whether the candidate takes less disk than the reference."""
    return candidate.size_bytes < reference.size_bytes


def faster(latency_interval: tuple[float, float] | None) -> bool:
    """Whether the candidate is shown to be faster: the whole interval of the ratio of medians lies above 1."""
    return latency_interval is not None and latency_interval[0] > 1


def judge_accuracy(interval: tuple[float, float], margin: float) -> Verdict:
    """The verdict on accuracy alone, from the interval of the difference."""
    low, high = interval
    if low > -margin:
        return "pass"
    return "fail" if high < -margin else "needs_more_rows"


def beats_baseline(evaluation: EvaluationReport) -> bool | None:
    """Whether the candidate is shown to be more accurate than TF-IDF; None when no baseline was evaluated."""
    against = evaluation.against_baseline
    return None if against is None else against.interval[0] > 0
