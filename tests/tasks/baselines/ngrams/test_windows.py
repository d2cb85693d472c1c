"""Which neighbours an n-gram reads, and what it finds there."""

import numpy as np
import pytest
from hypothesis import given

from infra.errors import DataError
from tasks.baselines.ngrams.windows import NOT_LABELLED, UNSEEN, Positions, check_masked, windows
from tests.tasks.baselines.ngrams.corpora import CLS, MASK, PAD, SEP, VOCABULARY, Masked, masked_sets

# [CLS] 4 5 6 7 [SEP]: 5 is hidden, 6 shows an 8, 7 shows itself.
ONE = Masked(
    np.array([[CLS, 4, MASK, 8, 7, SEP, PAD]]),
    np.array([[NOT_LABELLED, NOT_LABELLED, 5, 6, 7, NOT_LABELLED, NOT_LABELLED]]),
)


def test_the_windows_of_three_places() -> None:
    assert windows(3) == [(-1, 1), (-2, -1), (1, 2), (-1,), (1,), (-2,), (2,), ()]


@pytest.mark.parametrize("order", range(1, 7))
def test_a_window_fits_into_its_places_and_never_reads_the_predicted_one(order: int) -> None:
    found = windows(order)
    assert len(set(found)) == len(found) and found[-1] == ()
    for window in found:
        before = [-place for place in reversed(window) if place < 0]
        after = [place for place in window if place > 0]
        assert (*(-place for place in reversed(before)), *after) == window
        assert max(before, default=0) + max(after, default=0) < order
        for side in filter(None, (before, after)):  # the nearest neighbour may be passed over, no other
            assert side[0] in (1, 2) and side == list(range(side[0], side[-1] + 1))


def test_a_hidden_token_is_unseen_and_a_shown_one_is_taken_for_true() -> None:
    hidden = Positions.hidden(ONE, 2, MASK, PAD)
    assert hidden.targets.tolist() == [5, 6, 7] and hidden.shown.tolist() == [MASK, 8, 7]
    assert hidden.around[0].tolist() == [CLS, 4, UNSEEN, 8, 7]
    assert hidden.around[1].tolist() == [4, UNSEEN, 8, 7, SEP]
    assert hidden.around[2].tolist() == [UNSEEN, 8, 7, SEP, UNSEEN]  # nor is there anything behind the end


def test_clean_contexts_have_the_true_tokens() -> None:
    clean = Positions.clean(ONE, 2, PAD)
    assert clean.around.tolist() == [[CLS, 4, 5, 6, 7], [4, 5, 6, 7, SEP], [5, 6, 7, SEP, UNSEEN]]


@given(masked_sets())
def test_contexts_have_one_key_where_they_are_the_same_and_only_there(masked: Masked) -> None:
    positions = Positions.hidden(masked, 4, MASK, PAD)
    for window in windows(5):
        tokens = [tuple(row[4 + place] for place in window) for row in positions.around.tolist()]
        keys = positions.contexts(window).tolist()
        assert len(set(keys)) == len(set(tokens)) == len(set(zip(keys, tokens, strict=True)))


@pytest.mark.parametrize(
    ("masked", "said"),
    [
        (Masked(ONE.input_ids, ONE.labels[:, 1:]), r"of shape \(1, 7\) and labels of \(1, 6\)"),
        (Masked(ONE.input_ids[0], ONE.labels[0]), r"\[documents, length\]"),
        (
            Masked(ONE.input_ids, np.full_like(ONE.labels, NOT_LABELLED)),
            "no labelled position in 1 documents",
        ),
        (Masked(ONE.input_ids[:0], ONE.labels[:0]), "no labelled position in 0 documents"),
        (Masked(ONE.input_ids, ONE.labels + 200), "ids from 0 to 207: expected 0 to 8"),
        (Masked(ONE.input_ids - 1, ONE.labels), "ids from -1"),
    ],
)
def test_what_is_no_evaluation_set_is_refused(masked: Masked, said: str) -> None:
    with pytest.raises(DataError, match=f"the test set has .*{said}"):
        check_masked("test", masked, VOCABULARY)
