"""What followed a context in the training text, against dictionaries."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import DataError
from tasks.baselines.ngrams.counting import DISCOUNT, LEVELS, Followers, TrainingText, count_followers
from tasks.baselines.ngrams.windows import Positions, Window, windows
from tests.tasks.baselines.ngrams.corpora import (
    MASK,
    PAD,
    SPECIAL,
    VOCABULARY,
    Masked,
    documents,
    flat,
    masked_sets,
    training_text,
)


def counted(rows: list[list[int]], window: Window) -> Counter[tuple[tuple[int, ...], int]]:
    """Context and token, as a loop counts them."""
    return Counter(
        (tuple(row[at + place] for place in window), token)
        for row in rows
        for at, token in enumerate(row)
        if token not in SPECIAL.ids and all(0 <= at + place < len(row) for place in window)
    )


@given(documents, masked_sets())
def test_counts_are_those_of_a_dictionary(rows: list[list[int]], masked: Masked) -> None:
    positions = Positions.hidden(masked, 4, MASK, PAD)
    for window in windows(5):
        expected = counted(rows, window)
        keys = positions.contexts(window)
        wanted = np.unique(keys)
        found = count_followers(training_text(rows), window, wanted)
        for key, around in zip(keys, positions.around.tolist(), strict=True):
            context, at = tuple(around[4 + place] for place in window), np.searchsorted(wanted, key)
            here = {token: count for (other, token), count in expected.items() if other == context}
            assert found.total[at] == sum(here.values()) and found.different[at] == len(here)
            pairs = found.pairs // VOCABULARY == at
            tokens = (found.pairs[pairs] % VOCABULARY).tolist()
            assert dict(zip(tokens, found.counts[pairs].tolist(), strict=True)) == here


@given(documents, masked_sets(), st.integers(1, 9))
def test_reading_in_pieces_changes_no_count(rows: list[list[int]], masked: Masked, piece: int) -> None:
    positions = Positions.clean(masked, 4, PAD)
    for window in [(-2, -1, 1, 2), (-4, -3, -2, -1), (2, 3, 4), (-1,), (2,), ()]:
        wanted = np.unique(positions.contexts(window))
        whole, pieces = (
            count_followers(training_text(rows, size), window, wanted) for size in (10_000, piece)
        )
        for name in ("pairs", "counts", "total", "different"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))


def test_a_text_on_disk_is_counted_as_one_in_memory(tmp_path: object) -> None:
    rows = [[2, 4, 5, 4, 5, 3]] * 5
    tokens, offsets = flat(rows)
    path = f"{tmp_path}/tokens.npy"
    np.save(path, tokens.astype(np.uint16))
    text = training_text(rows)
    mapped = TrainingText(np.load(path, mmap_mode="r"), offsets, text.predictable, 7)
    wanted = np.unique(next(text.contexts((-1,)))[0])
    np.testing.assert_array_equal(
        count_followers(mapped, (-1,), wanted).counts, count_followers(text, (-1,), wanted).counts
    )


FOLLOWERS = Followers(  # one context with tokens 1 (thrice), 2 and 4 (once); one that never stood
    5, np.array([1, 2, 4]), np.array([3, 1, 1]), np.array([5, 0]), np.array([3, 0])
)


def test_a_discount_leaves_less_to_what_was_seen_once() -> None:
    found = FOLLOWERS.probability(np.zeros(5, dtype=np.int64), np.arange(5))
    expected = np.array([0, 3 - DISCOUNT, 1 - DISCOUNT, 0, 1 - DISCOUNT])
    assert found == pytest.approx(expected / (5 - 3 * DISCOUNT))
    assert not FOLLOWERS.probability(np.ones(5, dtype=np.int64), np.arange(5)).any()


def test_support_rises_by_half_doublings_of_how_often_each_token_stood() -> None:
    total = np.array([0, 1, 7, 15, 20, 40, 10**9])
    different = np.array([0, 1, 7, 10, 10, 10, 1])
    followers = Followers(5, np.zeros(0, np.int64), np.zeros(0, np.int64), total, different)
    assert followers.support(np.arange(7)).tolist() == [0, 1, 1, 2, 3, 5, LEVELS]


@pytest.mark.parametrize(
    ("tokens", "offsets", "said"),
    [
        ([], [0], "no tokens"),
        ([4, 5], [0, 3], r"have the ends \[0, 3\]: expected them to rise from 0 to its 2 tokens"),
        ([4, 5], [], "the 0 offsets"),
        ([4, 5], [0, 2, 1, 2], "the 4 offsets"),
        ([4, VOCABULARY], [0, 2], "ids from 4 to 9: expected 0 to 8"),
    ],
)
def test_what_is_no_training_text_is_refused(tokens: list[int], offsets: list[int], said: str) -> None:
    text = TrainingText(np.array(tokens), np.array(offsets), np.ones(VOCABULARY, dtype=bool), 100)
    with pytest.raises(DataError, match=said):
        text.check()
