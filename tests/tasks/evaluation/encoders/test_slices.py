"""Slices of labelled rows are nested and keep each label's share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.encoders.config import ProbeConfig
from tasks.evaluation.encoders.slices import nested_order, sizes_that_fit, slices

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=200).map(lambda values: np.array(values))


@given(LABELS, st.integers(0, 100))
def test_every_beginning_has_each_label_in_its_share(labels: np.ndarray, seed: int) -> None:
    order = nested_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    kinds = np.unique(labels)
    for size in range(1, len(labels) + 1):
        for label in kinds:
            wanted = size * (labels == label).mean()
            assert abs((labels[order[:size]] == label).sum() - wanted) <= len(kinds)


def test_other_seeds_draw_other_rows() -> None:
    labels = np.arange(1000) % 2
    first, second = (set(nested_order(labels, seed)[:100]) for seed in (0, 1))
    assert 0 < len(first & second) < 40


def test_a_larger_slice_of_a_seed_holds_the_smaller_one() -> None:
    found = list(slices(np.arange(100) % 3, ProbeConfig(labels=(8, 50), seeds=2)))
    assert [(one.labels, one.seed) for one in found] == [(8, 0), (50, 0), (8, 1), (50, 1)]
    assert set(found[0].rows) < set(found[1].rows)


def test_sizes_without_two_rows_of_each_label_are_left_out() -> None:
    labels = np.repeat(np.arange(10), 30)
    assert sizes_that_fit(labels, ProbeConfig(labels=(8, 32, 100, 2000), seeds=2)) == (32, 100)
    assert sizes_that_fit(labels, ProbeConfig(labels=(8,))) == (300,)  # all there are, where none fits
