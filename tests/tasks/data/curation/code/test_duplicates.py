"""Copies: who stays of them, and that near ones are found by what was kept of them alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.curation.code.duplicates import content_digest, equal_to, hashes_of, near_to, set_digest, sign
from tasks.data.curation.code.words import words_of
from tests.tasks.data.curation.extracts import sentence

THRESHOLD = 0.85


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.randoms())
def test_the_first_in_order_stands_for_all_that_are_equal(texts: list[str], random: object) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    like = equal_to(np.array([content_digest(text) for text in texts]), np.array(order))
    for number, text in enumerate(texts):
        assert like[number] == next(one for one in order if texts[one] == text)


def near(texts: list[str], order: list[int]) -> list[int]:
    sets = [set(words_of(text)) for text in texts]
    signed = [sign(one, hashes_of(THRESHOLD)) for one in sets]
    words = np.array([set_digest(one) for one in sets])
    return list(near_to(THRESHOLD, np.array(order), words, signed.__getitem__, texts.__getitem__))


def test_near_copies_are_like_the_first_that_stays_and_others_are_their_own() -> None:
    text = "".join(f"{sentence(str(i))}\n" for i in range(10))
    texts = [sentence("other"), text, f"{text} more = 1", text.replace(" ", "+"), f"{text} less = 2"]
    assert near(texts, [0, 1, 2, 3, 4]) == [0, 1, 1, 1, 1]
    assert near(texts, [4, 3, 2, 1, 0]) == [0, 4, 4, 4, 4]
    assert near(texts, [0, 2, 3]) == [0, 1, 2, 2, 4], "what is not in the order is not looked at"


def test_an_equal_set_of_words_is_found_among_many_of_one_template() -> None:
    text = "".join(f"{sentence(str(i))}\n" for i in range(10))
    texts = [f"{text} {sentence('template' + str(i))} {sentence('more' + str(i))}" for i in range(40)]
    like = near([*texts, f"({texts[0]})"], list(range(41)))
    assert like[40] == 0
