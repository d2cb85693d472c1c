"""HumanEval: how often what a model wrote passes the tests of Chen et al. 2021, "Evaluating Large Language Models Trained on
Code"."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from queue import SimpleQueue

from statsmodels.stats.proportion import proportion_confint
from tqdm import tqdm

from infra.errors import DataError
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.problems import Problem, Sample
from tasks.evaluation.code_execution.sandbox import Sandbox
from tasks.evaluation.code_execution.trial import PASSED, Outcome, judge
from tasks.formats.value import Value
from tasks.metrics.pass_at_k import mean_pass_at_k

CONFIDENCE = 0.95


class HumanEval(Value):
    """The figures. `pass_at_1` and the interval are of the problems that have samples."""

    problems: int
    samples: int
    passed: int  # samples
    pass_at_1: float
    pass_at_1_interval: tuple[float, float]  # 95%
    pass_at_10: float | None  # None where a problem has fewer samples
    reasons: dict[str, int]  # samples by how they ended
    python: str  # the version that ran them


def evaluate_samples(
    samples: Sequence[Sample], problems: Mapping[str, Problem], config: ExecutionConfig
) -> HumanEval:
    """Run each sample in sandboxes of its own. Raises SandboxError where that cannot be, DataError without samples."""
    outcomes, python = run_samples(samples, problems, config)
    return figures(
        [(sample.task_id, outcome.reason) for sample, outcome in zip(samples, outcomes, strict=True)], python
    )


def run_samples(
    samples: Sequence[Sample], problems: Mapping[str, Problem], config: ExecutionConfig
) -> tuple[list[Outcome], str]:
    """The outcome of each sample, in their order, and the version of Python that ran them."""
    places: SimpleQueue[int] = SimpleQueue()
    for place in range(config.jobs):
        places.put(place)

    def one(sample: Sample) -> Outcome:
        place = places.get()
        try:
            return judge(sandbox, problems[sample.task_id], sample.completion, place)
        finally:
            places.put(place)

    # The pool outlives what its threads start: a sandbox ends with the thread that started it (--die-with-parent).
    with (
        Sandbox(config) as sandbox,
        ThreadPoolExecutor(config.jobs) as pool,
        tqdm(total=len(samples), desc="humaneval", unit="sample", leave=False, disable=None) as bar,
    ):
        waiting = [pool.submit(one, sample) for sample in samples]
        try:
            for done in as_completed(waiting):
                done.result()
                bar.update()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [done.result() for done in waiting], sandbox.version


def figures(judged: Sequence[tuple[str, str]], python: str) -> HumanEval:
    """The report of (task_id, reason) pairs.

    The interval is Wilson's with as many trials as there are problems: what differs between a problem's samples makes the
    mean of its figures vary less than one trial would, so with several samples it is on the safe side. Raises DataError
    without pairs.
    """
    if not judged:
        raise DataError("there are no samples: expected one or more. Give a file that has some.")
    reasons = Counter(reason for _, reason in judged)
    totals = Counter(task for task, _ in judged)
    passes = Counter(task for task, reason in judged if reason == PASSED)
    counts = [(total, passes[task]) for task, total in totals.items()]
    rate = mean_pass_at_k(counts, 1) or 0.0
    low, high = proportion_confint(rate * len(counts), len(counts), alpha=1 - CONFIDENCE, method="wilson")
    return HumanEval(
        problems=len(counts),
        samples=len(judged),
        passed=reasons[PASSED],
        pass_at_1=rate,
        pass_at_1_interval=(max(0.0, float(low)), min(1.0, float(high))),
        pass_at_10=mean_pass_at_k(counts, 10),
        reasons=dict(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
        python=python,
    )
