"""Power and numbers of rows, against simulated gates: what is stated is what happens."""

import numpy as np
import pytest

from tasks.evaluation.gate.conditions import judge_accuracy
from tasks.metrics.paired import PairedCounts, score_interval
from tasks.metrics.power import discordance, power_of_equal, rows_needed

SIMULATED = 600


def outcomes(rows: int, gained: float, lost: float, margin: float) -> list[str]:
    """Verdicts on accuracy of simulated test splits, where candidate and reference differ by these true shares."""
    draws = np.random.default_rng(rows).multinomial(rows, [gained, lost, 1 - gained - lost], SIMULATED)
    return [
        judge_accuracy(score_interval(PairedCounts(rows, g, m), 0.95), margin) for g, m, _ in draws.tolist()
    ]


@pytest.mark.parametrize("power", [0.8, 0.95])
@pytest.mark.parametrize(
    ("counts", "margin"),
    [
        (PairedCounts(rows=200, gained=6, lost=9), 0.03),
        (PairedCounts(rows=200, gained=0, lost=0), 0.03),  # the hardest to count for
        (PairedCounts(rows=300, gained=40, lost=44), 0.03),
        (PairedCounts(rows=60, gained=1, lost=3), 0.1),
        (PairedCounts(rows=1_000, gained=10, lost=20), 0.02),
    ],
)
def test_the_named_rows_pass_a_good_model_as_often_as_stated(
    counts: PairedCounts, margin: float, power: float
) -> None:
    needed = rows_needed(counts, margin, 0.95, power)
    assert needed is not None and needed > counts.rows
    share, difference = discordance(counts), counts.difference
    verdicts = outcomes(needed, (share + difference) / 2, (share - difference) / 2, margin)
    assert verdicts.count("pass") / SIMULATED >= power - 0.04  # 2.5 standard deviations of the simulation
    if needed > counts.rows + 1:
        assert verdicts.count("pass") / SIMULATED <= power + 0.08


def test_the_named_rows_fail_a_bad_model_as_often_as_stated() -> None:
    counts = PairedCounts(rows=200, gained=4, lost=20)
    needed = rows_needed(counts, 0.03, 0.95, 0.8)
    assert needed is not None
    share, difference = discordance(counts), counts.difference
    verdicts = outcomes(needed, (share + difference) / 2, (share - difference) / 2, 0.03)
    assert verdicts.count("fail") / SIMULATED == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("rows", "differing", "margin"), [(100, 10, 0.1), (300, 12, 0.03), (600, 60, 0.03), (5_000, 500, 0.01)]
)
def test_an_equally_accurate_model_passes_as_often_as_its_power(
    rows: int, differing: int, margin: float
) -> None:
    counts = PairedCounts(rows, gained=0, lost=differing)  # the power is that of a difference of zero
    half = discordance(counts) / 2
    passed = outcomes(rows, half, half, margin).count("pass") / SIMULATED
    assert power_of_equal(counts, margin, 0.95) == pytest.approx(passed, abs=0.06)


def test_no_number_of_rows_decides_at_exactly_the_margin() -> None:
    assert rows_needed(PairedCounts(rows=100, gained=1, lost=4), 0.03, 0.95, 0.8) is None
