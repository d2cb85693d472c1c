"""Which proposals become trials, and what becomes of those."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.formats.evaluation_report import Validation
from tasks.formats.predictions import Validated, write_validated
from tasks.formats.report_file import write_report
from tasks.metrics.expected import expected_difference
from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.size import Widths, estimated_mb
from tasks.search.study import Study
from tasks.search.trial_parameters import Measured, TrialParameters
from tasks.search.trials import Search

WIDTHS = Widths(hidden=384, bag=EmbeddingBagConfig(dimensions=128, pairs=10_000), positions=32, labels=151)
FIRST = TrialParameters(
    layers=1, intermediate_size=512, vocabulary_size=6_000, epochs=8, alpha=0.1, temperature=2.0, embedding_rank=0,
    weights="int8"
)  # fmt: skip


class Shown:
    """A run that keeps what it is told."""

    mlflow_run_id: str | None = "flow"
    watcher: Callable[[Mapping[str, float], int], None] | None = None

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ended: list[tuple[str | None, str]] = []
        self.figures: dict[str, float] = {}
        self.tracker = self
        self.say = self.said.append

    def start(self, name: str, parent: str | None, config: object) -> str:
        return f"{name} of {parent}"

    def log(self, run_id: str, points: list[tuple[str, float, int]]) -> None:
        self.figures = {f"{run_id}: {name}": value for name, value, _ in points}

    def end(self, run_id: str | None, status: str) -> None:
        self.ended.append((run_id, status))


def opened(folder: Path, run: Shown) -> tuple[Study, Search]:
    study = Study(folder, SearchConfig(trials=6, first_judged=1, halving=2), BudgetConfig(), 0.95, [FIRST])
    return study, Search(run, study, BudgetConfig(), 0.95, WIDTHS, folder, Path.write_text)


@pytest.mark.parametrize(
    ("budget", "bounded"),
    [
        (BudgetConfig(max_accuracy_drop=0.02), True),
        (BudgetConfig(size_mb=100, max_accuracy_drop=0.02), True),
        (BudgetConfig(size_mb=100), False),
    ],
)
def test_where_the_smallest_wins_nothing_larger_is_trained(
    tmp_path: Path, budget: BudgetConfig, bounded: bool
) -> None:
    study = Study(tmp_path, SearchConfig(trials=20), budget, 0.95, [FIRST])
    proposal = study.propose()
    assert proposal is not None
    inside = Measured(accuracy=0.94, size_mb=estimated_mb(FIRST, WIDTHS), latency_ms=0.3)
    study.finish(proposal, inside)
    run = Shown()
    search = Search(run, study, budget, 0.95, WIDTHS, tmp_path, Path.write_text)
    tried = []
    for proposal in search.proposals():
        tried.append(estimated_mb(proposal.choice, WIDTHS))
        study.stop(proposal)
    larger = sum(size >= inside.size_mb for size in tried)
    assert (larger == 0) is bounded
    left_out = [row for row in study.rows() if row.state == "not_smaller"]
    assert bool(left_out) is bounded
    assert len(left_out) == sum("no less than that of one" in line for line in run.said)


def test_a_trial_is_a_child_of_its_flow_while_it_is_under_way(tmp_path: Path) -> None:
    run = Shown()
    study, search = opened(tmp_path, run)
    with search.trial(next(search.proposals())) as trial:
        assert run.mlflow_run_id == "trial 0 of flow"
        trial.measured({"validation_accuracy": 0.9}, {"size_mb": 4.0, "p50_ms": 0.3})
    assert (run.mlflow_run_id, run.watcher) == ("flow", None)
    assert run.ended == [("trial 0 of flow", "FINISHED")]
    assert run.figures["trial 0 of flow: size_mb"] == 4.0
    assert [row.measured for row in study.rows()] == [Measured(accuracy=0.9, size_mb=4.0, latency_ms=0.3)]


def test_a_hopeless_trial_ends_and_the_search_goes_on(tmp_path: Path) -> None:
    run = Shown()
    study, search = opened(tmp_path, run)
    after_each = (0.9, 0.91, 0.92, 0.1)
    for proposal, accuracy in zip(search.proposals(), after_each, strict=False):
        with search.trial(proposal) as trial:
            assert run.watcher is not None
            for step, validated in enumerate((0.0, accuracy)):  # the first is of the untrained student
                run.watcher({"validation_accuracy": validated}, step)
            trial.measured({"validation_accuracy": accuracy}, {"size_mb": 4.0, "p50_ms": 0.3})
    assert [status for _, status in run.ended] == ["FINISHED"] * 3 + ["KILLED"]
    assert [row.state for row in study.rows()] == ["finished"] * 3 + ["stopped"]
    assert "trial 3 is hopeless after 1 epochs; stopped" in run.said[-1]


def test_a_trial_that_fails_is_asked_for_again(tmp_path: Path) -> None:
    run = Shown()
    study, search = opened(tmp_path, run)
    with pytest.raises(ValueError, match="broken"), search.trial(next(search.proposals())):
        raise ValueError("broken")
    assert run.ended == [("trial 0 of flow", "FAILED")]
    assert (run.mlflow_run_id, run.watcher, study.rows()) == ("flow", None, [])
    _, search = opened(tmp_path, run)
    assert next(search.proposals()).choice == FIRST


@pytest.mark.parametrize(("trials", "said"), [(1, "the only one that was measured"), (4, "the best of 4")])
def test_the_winner_is_told_as_the_best_of_as_many_as_were_measured(
    tmp_path: Path, trials: int, said: str
) -> None:
    run = Shown()
    study, search = opened(tmp_path / "study", run)
    for _ in range(trials):
        proposal = study.propose()
        assert proposal is not None
        study.finish(proposal, Measured(accuracy=0.9, size_mb=5, latency_ms=0.3))
    right, mass = np.arange(100) < 90, np.full(100, 0.01)
    for name, answers in (("teacher", right), ("winner", np.arange(100) < 86)):
        (tmp_path / name).mkdir()
        write_validated(tmp_path / name, Validated(answers, mass))
        write_report(tmp_path / name, Validation(rows=100, accuracy=float(answers.mean())))
    search.compare(tmp_path / "teacher", tmp_path / "winner")
    _, (low, high) = expected_difference(right, np.arange(100) < 86, mass, 1 - 0.05 / trials)
    assert f"{said} on validation, -4.00 points against the teacher" in run.said[-1]
    assert f"{100 * low:+.2f} to {100 * high:+.2f}" in run.said[-1]
