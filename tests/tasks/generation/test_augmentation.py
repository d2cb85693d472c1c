from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.generation.augmentation import augment, drop_words, join_texts, substitute_words
from tasks.generation.config import AugmentConfig

TEXTS = [
    "what is my balance", "show me the flight to paris", "is it going to rain", "tell me about the hotel",
    "what is the time", "book a table for two", "how do i open an account",
]  # fmt: skip
FOREIGN = ["potato", "guitar", "seven"]
WORDS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12)


@given(st.integers(0, 2**31 - 1))
def test_made_texts_are_new_and_none_is_there_twice_or_empty(seed):
    made = augment(TEXTS, FOREIGN, 40, AugmentConfig(seed=seed))
    texts = [new.text for new in made]
    assert len(texts) == len(set(texts)) == 40
    assert not set(texts) & set(TEXTS)
    assert all(text.strip() for text in texts)


def test_same_seed_makes_the_same_texts_and_another_others():
    assert augment(TEXTS, FOREIGN, 30, AugmentConfig(seed=4)) == augment(
        TEXTS, FOREIGN, 30, AugmentConfig(seed=4)
    )
    assert augment(TEXTS, FOREIGN, 30, AugmentConfig(seed=4)) != augment(
        TEXTS, FOREIGN, 30, AugmentConfig(seed=5)
    )


def test_more_texts_begin_with_the_same_ones():
    assert augment(TEXTS, FOREIGN, 30, AugmentConfig())[:10] == augment(TEXTS, FOREIGN, 10, AugmentConfig())


def test_kinds_come_as_often_as_asked():
    kinds = Counter(
        new.origin for new in augment(TEXTS, FOREIGN, 60, AugmentConfig(dropped=0, substituted=3, joined=1))
    )
    assert set(kinds) == {"substituted", "joined"}
    assert kinds["substituted"] > kinds["joined"]


@pytest.mark.parametrize(("share", "foreign"), [(0.0, False), (1.0, True)])
def test_foreign_words_come_when_asked_for(share, foreign):
    config = AugmentConfig(dropped=0, joined=0, foreign_share=share)
    words = {word for new in augment(TEXTS, FOREIGN, 40, config) for word in new.text.split()}
    assert bool(words & set(FOREIGN)) == foreign


def test_rows_that_give_nothing_new_give_what_there_is():
    assert augment(["hello"], [], 10, AugmentConfig(joined=0)) == []
    assert augment([], FOREIGN, 10, AugmentConfig()) == []
    assert augment(["", "  "], FOREIGN, 10, AugmentConfig()) == []
    assert augment(TEXTS, FOREIGN, 0, AugmentConfig()) == []


@given(WORDS, st.integers(0, 1000))
def test_dropping_leaves_out_at_least_one_word_and_keeps_the_order(words, seed):
    left = drop_words(words, 0.3, np.random.default_rng(seed))
    assert len(left) < len(words)
    rest = iter(words)
    assert all(word in rest for word in left)


@given(WORDS, st.integers(0, 1000))
def test_substitution_keeps_the_length_and_takes_words_from_the_pool(words, seed):
    changed = substitute_words(words, 0.3, ["X", "Y"], np.random.default_rng(seed))
    assert len(changed) == len(words)
    assert any(word in ("X", "Y") for word in changed)
    assert all(new in (old, "X", "Y") for old, new in zip(words, changed, strict=True))


@given(WORDS, WORDS, st.integers(0, 1000))
def test_a_joined_text_begins_as_one_and_ends_as_the_other(first, second, seed):
    joined = join_texts(first, second, np.random.default_rng(seed))
    assert any(
        joined == [*first[:i], *second[j:]] for i in range(len(first) + 1) for j in range(len(second) + 1)
    )


def test_texts_are_mostly_cut_at_a_word_that_both_have():
    first, second = ["what", "is", "my", "balance"], ["where", "is", "the", "flight"]
    joins = Counter(" ".join(join_texts(first, second, np.random.default_rng(seed))) for seed in range(200))
    assert joins["what is the flight"] > 100
    assert joins["what is my balance where is the flight"] > 20


def test_no_kind_at_all_is_refused():
    with pytest.raises(ValueError, match="all 0"):
        AugmentConfig(dropped=0, substituted=0, joined=0)
