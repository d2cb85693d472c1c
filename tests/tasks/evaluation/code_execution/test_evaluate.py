"""HumanEval's figures, and its problems' own solutions, which pass."""

from pathlib import Path

import pytest

from infra.errors import DataError
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.evaluate import evaluate_samples, figures
from tasks.evaluation.code_execution.problems import Sample, read_problems
from tests.tasks.evaluation.code_execution.own_problems import PROBLEMS, RIGHT


def test_samples_are_judged_at_once_and_counted_by_problem() -> None:
    completions = [("own/0", RIGHT["own/0"]), ("own/0", "    return 2\n"), ("own/1", RIGHT["own/1"])]
    samples = [Sample(task_id=task, completion=text) for task, text in completions]
    found = evaluate_samples(samples, PROBLEMS, ExecutionConfig(jobs=2))
    assert (found.problems, found.samples, found.passed, found.pass_at_1) == (2, 3, 2, 0.75)
    assert found.reasons == {"passed": 2, "wrong answer": 1} and found.pass_at_10 is None


def test_the_interval_is_wilson_s_by_problem() -> None:
    none = figures([(f"{n}", "wrong answer") for n in range(164)], "3")
    assert none.pass_at_1 == 0 and none.pass_at_1_interval == pytest.approx((0, 0.02289), abs=1e-4)
    half = [(f"{n}", "passed" if n % 2 else "syntax") for n in range(60)]
    assert figures(half, "3").pass_at_1_interval == pytest.approx((0.3773, 0.6227), abs=1e-4)
    # Ten samples of the same problem say little more than one.
    assert figures(half * 10, "3").pass_at_1_interval == figures(half, "3").pass_at_1_interval


def test_ten_samples_a_problem_have_a_pass_at_10() -> None:
    judged = [("a", "passed")] * 1 + [("a", "timeout")] * 9 + [("b", "memory")] * 10
    found = figures(judged, "3")
    assert (found.pass_at_1, found.pass_at_10) == (pytest.approx(0.05), 0.5)


def test_no_samples_are_refused() -> None:
    with pytest.raises(DataError, match="there are no samples"):
        figures([], "3")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("completion", "reason"), [(None, "passed"), ("    import os; os._exit(0)\n", "exited")]
)
def test_the_canonical_solutions_pass_and_an_exit_code_of_0_does_not(
    completion: str | None, reason: str, shared_data: Path
) -> None:
    problems = read_problems(shared_data / "humaneval" / "humaneval.jsonl.gz")
    samples = [
        Sample(task_id=name, completion=completion or problem.canonical_solution)
        for name, problem in problems.items()
    ]
    found = evaluate_samples(samples, problems, ExecutionConfig(jobs=2, seconds=20))
    assert found.reasons == {reason: 164} and found.problems == 164
