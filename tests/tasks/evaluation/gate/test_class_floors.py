"""Floors of classes: chance fails none, a collapse is seen, and the test is what its formula says."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tasks.evaluation.gate.class_floors import class_falls, fall_p, holm, net_losses, visible_fall
from tasks.metrics.paired import PairedCounts

CLASSES = 20
NAMES = tuple(f"class_{i:02d}" for i in range(CLASSES))


def answers(rows: int, gained: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, reference and candidate: in class i the first `gained[i]` rows are gained, the next `lost[i]` lost."""
    labels = np.repeat(np.arange(CLASSES), rows)
    place = np.tile(np.arange(rows), CLASSES)
    wrong = (labels + 1) % CLASSES
    is_gained = place < gained[labels]
    is_lost = ~is_gained & (place < (gained + lost)[labels])
    return labels, np.where(is_gained, wrong, labels), np.where(is_lost, wrong, labels)


@pytest.mark.parametrize("rows", [5, 30, 120])
def test_losing_just_the_floor_in_every_class_fails_any_class_in_at_most_one_gate_of_twenty(
    rows: int,
) -> None:
    floor, often, random = 0.1, 0.02, np.random.default_rng(rows)
    failed = 0
    for _ in range(400):
        draws = random.multinomial(rows, [often, often + floor, 1 - 2 * often - floor], CLASSES)
        falls = class_falls(NAMES, *answers(rows, draws[:, 0], draws[:, 1]), floor)
        failed += min(fall.p_value for fall in falls) <= 0.05
    assert failed / 400 <= 0.05


@pytest.mark.parametrize("rows", [10, 30])
@pytest.mark.parametrize("level", [0.05, 0.05 / 150])
def test_the_level_holds_over_all_outcomes_of_one_class(rows: int, level: float) -> None:
    floor = 0.1
    rejected = {
        (gained, lost)
        for gained in range(rows + 1)
        for lost in range(rows + 1 - gained)
        if fall_p(PairedCounts(rows, gained, lost), floor) <= level
    }
    assert rejected or rows == 10
    for share in np.linspace(0, 0.44, 12):  # whatever share of rows is truly gained
        chance = sum(
            comb(rows, gained) * comb(rows - gained, lost) * share**gained * (share + floor) ** lost
            * (1 - 2 * share - floor) ** (rows - gained - lost)
            for gained, lost in rejected
        )  # fmt: skip
        assert chance <= level * 1.02


def test_a_collapsed_class_is_named_first_and_an_even_loss_fails_none() -> None:
    lost = np.full(CLASSES, 4)
    even = class_falls(NAMES, *answers(30, np.zeros(CLASSES, int), lost), 0.1)
    assert all(fall.p_value > 0.05 for fall in even)
    lost[7] = 26
    falls = class_falls(NAMES, *answers(30, np.zeros(CLASSES, int), lost), 0.1)
    assert (falls[0].label, falls[0].rows) == ("class_07", 30)
    assert falls[0].recall_difference == pytest.approx(-26 / 30)
    assert [fall.label for fall in falls if fall.p_value <= 0.05] == ["class_07"]


def test_what_is_suspect_of_one_class_may_be_chance_among_twenty() -> None:
    labels = np.repeat(np.arange(CLASSES), 8)
    candidate = np.where(np.arange(len(labels)) < 5, 1, labels)  # five of the eight rows of class 0 are lost
    (alone,) = class_falls(NAMES[:1], labels[:8], labels[:8], candidate[:8], 0.1)
    among = class_falls(NAMES, labels, labels, candidate, 0.1)[0]
    assert alone.recall_difference == among.recall_difference == -0.625
    assert alone.p_value < 0.05 < among.p_value


def test_a_label_without_test_rows_is_no_class_to_judge() -> None:
    labels = np.array([0, 0, 2])
    assert {fall.label for fall in class_falls(("a", "b", "c"), labels, labels, labels, 0.1)} == {"a", "c"}


def test_the_correction_is_holms() -> None:
    p_values = np.random.default_rng(0).beta(0.3, 2, 40)
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_net_losses_are_the_rows_added_up_one_by_one() -> None:
    one, total = np.array([0.02, 0.86, 0.12]), np.array([1.0])
    for _ in range(25):
        total = np.convolve(total, one)
    assert net_losses(25, 0.02, 0.1) == pytest.approx(total, abs=1e-14)


@given(rows=st.integers(1, 80), data=st.data(), floor=st.floats(0.01, 0.9))
def test_losing_more_is_never_less_suspect_and_a_fall_within_the_floor_never_is(
    rows: int, data: st.DataObject, floor: float
) -> None:
    gained = data.draw(st.integers(0, rows - 1))
    lost = data.draw(st.integers(0, rows - gained - 1))
    fewer, more = (fall_p(PairedCounts(rows, gained, lost + extra), floor) for extra in (0, 1))
    assert 0 <= more <= fewer + 1e-9 <= 1 + 1e-9
    if lost - gained <= floor * rows:
        assert fewer == 1


def test_the_smallest_visible_fall_fails_and_one_row_less_does_not() -> None:
    seen = visible_fall(rows=30, classes=CLASSES, floor=0.1, level=0.05)
    assert seen is not None
    lost = np.zeros(CLASSES, int)
    for rows, fails in ((round(30 * seen), True), (round(30 * seen) - 1, False)):
        lost[3] = rows
        falls = class_falls(NAMES, *answers(30, np.zeros(CLASSES, int), lost), 0.1)
        assert (falls[0].p_value <= 0.05) == fails
    assert visible_fall(rows=2, classes=150, floor=0.1, level=0.05) is None
