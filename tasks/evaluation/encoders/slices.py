"""Nested slices of a training split: a few labelled rows, and more that hold them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from infra.errors import DataError
from tasks.evaluation.encoders.config import SlicesConfig
from tasks.formats.dataset import Split, load_info, load_split


class Slice(NamedTuple):
    """`rows` int64 [labels] of the training split."""

    labels: int
    seed: int
    rows: np.ndarray


class Labelled(NamedTuple):
    """A training split and the test rows that every classifier answers."""

    train: Split
    test: Split
    classes: int


def read_labelled(dataset: Path, config: SlicesConfig) -> Labelled:
    """Read a curated data set; of its test split `test_rows` by chance, the same ones each time.

    Rows out of scope stay: they are a label like the others. Raises ArtifactError when it is damaged, DataError when its
    training split has fewer than two labels.
    """
    train, test = load_split(dataset, "train"), load_split(dataset, "test")
    if (found := len(np.unique(train.labels))) < 2:
        raise DataError(
            f"the training split of {dataset} has {found} label(s): expected at least two. Look at the curate stage's "
            "report for where the others went."
        )
    chosen = np.sort(np.random.default_rng(0).permutation(len(test))[: config.test_rows])
    few = Split([test.texts[row] for row in chosen], test.labels[chosen])
    return Labelled(train, few, len(load_info(dataset).labels))


def nested_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """An order of all rows, int64 [n], each beginning of which has every label in its share, as near as whole rows can.

    The k-th of a label's m rows, in an order by chance, stands at (k + 1/2) / m of the whole (systematic sampling by strata).
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = shuffled[labels[shuffled] == label]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return shuffled[np.argsort(place[shuffled], kind="stable")]


def sizes_that_fit(labels: np.ndarray, config: SlicesConfig) -> tuple[int, ...]:
    """The sizes asked for that the split has rows for, with two of each label in each; all rows where none has."""
    orders = [nested_order(labels, seed) for seed in range(config.seeds)]
    classes = len(np.unique(labels))

    def fits(size: int) -> bool:
        counts = [np.bincount(np.unique(labels[order[:size]], return_inverse=True)[1]) for order in orders]
        return size <= len(labels) and all(len(found) == classes and found.min() > 1 for found in counts)

    return tuple(size for size in config.labels if fits(size)) or (len(labels),) * bool(config.labels)


def slices(labels: np.ndarray, config: SlicesConfig) -> Iterator[Slice]:
    """Each size of each seed, the smallest first."""
    sizes = sizes_that_fit(labels, config)
    for seed in range(config.seeds):
        order = nested_order(labels, seed)
        for size in sizes:
            yield Slice(size, seed, order[:size])
