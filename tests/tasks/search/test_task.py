"""Which proposals become trials."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from infra.engine.run import FlowRun
from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.size import BagShape, Widths, estimated_mb
from tasks.search.study import Study
from tasks.search.task import Search
from tasks.search.values import Choice, Measured

WIDTHS = Widths(hidden=384, bag=BagShape(128, 10_000), positions=32, labels=151)
FIRST = Choice(
    layers=1, intermediate_size=512, vocabulary_size=6_000, epochs=8, alpha=0.1, temperature=2.0, embedding_rank=0,
    weights="int8"
)  # fmt: skip


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
    said: list[str] = []
    search = Search(
        cast(FlowRun, SimpleNamespace(say=said.append, mlflow_run_id=None)), study, budget, 0.95, WIDTHS
    )
    tried = []
    for trial in search.trials():
        tried.append(estimated_mb(trial.choice, WIDTHS))
        study.stop(trial.proposal)
    larger = sum(size >= inside.size_mb for size in tried)
    assert (larger == 0) is bounded
    left_out = [row for row in study.rows() if row.state == "not_smaller"]
    assert bool(left_out) is bounded
    assert len(left_out) == sum("no less than that of one" in line for line in said)
