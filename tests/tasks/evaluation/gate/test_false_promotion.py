"""The gate on synthetic predictions whose truth is known: how often a model that is too weak gets through."""

from math import comb

import numpy as np
import pytest
from scipy.stats import norm

from tasks.evaluation.gate.conditions import judge_accuracy
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.gate import Answers, judge
from tasks.metrics.paired import PairedCounts, count_pairs, score, score_interval
from tests.tasks.evaluation.gate.reports import LABELS, benchmark, evaluation

SIMULATIONS = 1_000
MARGIN = 0.03


def synthetic(random: np.random.Generator, rows: int, gained: float, lost: float) -> Answers:
    """Answers of a teacher and a candidate of which one alone is right in these true shares of rows."""
    labels = random.integers(len(LABELS), size=rows)
    kind = random.random(rows)
    is_gained, is_lost = kind < gained, (kind >= gained) & (kind < gained + lost)
    both_wrong = kind > 1 - 0.05 * (1 - gained - lost)  # says nothing, as in real predictions
    wrong = (labels + random.integers(1, len(LABELS), size=rows)) % len(LABELS)
    return Answers(
        labels, np.where(is_gained | both_wrong, wrong, labels), np.where(is_lost | both_wrong, wrong, labels)
    )


@pytest.mark.parametrize("rows", [40, 60, 120, 150, 300, 1_000, 4_950])
@pytest.mark.parametrize("gained", [0.0, 0.005, 0.03, 0.1, 0.3])
def test_a_model_worse_by_the_margin_is_promoted_at_most_once_in_twenty(rows: int, gained: float) -> None:
    random, promoted = np.random.default_rng([rows, int(1_000 * gained)]), 0
    for _ in range(SIMULATIONS):
        given = synthetic(random, rows, gained, gained + MARGIN)
        counts = count_pairs(given.labels, given.reference, given.candidate)
        promoted += judge_accuracy(score_interval(counts, 0.95), MARGIN) == "pass"
    assert promoted / SIMULATIONS <= 0.05


def test_the_whole_gate_promotes_such_a_model_at_most_once_in_twenty() -> None:
    random, rows, config = np.random.default_rng(0), 900, GateConfig(margin=MARGIN, resamples=1_000)
    reports = evaluation(rows), benchmark()
    verdicts = [
        judge(config, *reports, synthetic(random, rows, 0.02, 0.05)).verdict for _ in range(SIMULATIONS)
    ]
    assert verdicts.count("pass") / SIMULATIONS <= 0.05
    assert verdicts.count("needs_more_rows") > 0.9 * SIMULATIONS  # at the margin itself no side is shown


def test_the_whole_gate_passes_an_equal_model_as_often_as_its_power() -> None:
    random, rows, config = np.random.default_rng(1), 600, GateConfig(margin=MARGIN, resamples=1_000)
    reports = evaluation(rows), benchmark()
    verdicts = [judge(config, *reports, synthetic(random, rows, 0.05, 0.05)) for _ in range(300)]
    passed = sum(verdict.verdict == "pass" for verdict in verdicts) / len(verdicts)
    assert np.mean([verdict.power for verdict in verdicts]) == pytest.approx(passed, abs=0.06)


@pytest.mark.parametrize("rows", [30, 103, 150])
@pytest.mark.parametrize("gained", [0.0, 0.02, 0.15])
def test_the_rate_holds_exactly_over_all_outcomes(rows: int, gained: float) -> None:
    """Every table of gained and lost rows with its chance: no luck of a simulation. 2.5% are meant, 4% the worst."""
    z, chances, rate = norm.ppf(0.975), (gained, gained + MARGIN), 0.0
    for g in range(rows + 1):
        of_g = comb(rows, g) * chances[0] ** g
        if of_g * (1 - chances[0]) ** (rows - g) < 1e-12:
            continue
        for m in range(rows + 1 - g):
            if score(PairedCounts(rows, g, m), -MARGIN) > z:
                of_m = comb(rows - g, m) * chances[1] ** m
                rate += of_g * of_m * (1 - sum(chances)) ** (rows - g - m)
    assert rate <= 0.04
