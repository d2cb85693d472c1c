"""Slips of the keyboard: one a word, in words alone, and the same with the same seed."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tasks.tokenizers.code.typos import WORD, slip, with_typos


@given(st.text("abcdeZä", min_size=4, max_size=20), st.integers(0, 99))
def test_a_slip_changes_a_letter_or_two_behind_the_first(word: str, seed: int) -> None:
    found = slip(word, Random(seed))
    assert found[0] == word[0] and len(found) - len(word) in (-1, 0, 1)
    assert set(found) <= set(word)
    if len(found) == len(word):
        assert sorted(found) == sorted(word)


@given(st.text(), st.floats(0, 1), st.integers(0, 9))
def test_what_is_between_words_stays(text: str, rate: float, seed: int) -> None:
    found = with_typos(text, rate, Random(seed))
    assert found == with_typos(text, rate, Random(seed))
    assert len(WORD.split(text)) == 1 or WORD.split(text)[0] == found[: len(WORD.split(text)[0])]
    assert with_typos(text, 0, Random(seed)) == text


def test_the_rate_is_that_of_words() -> None:
    words = "alphabetic " * 4_000
    slipped = [word != "alphabetic" for word in with_typos(words, 0.25, Random(0)).split()]
    assert 0.22 < sum(slipped) / 4_000 < 0.28
    assert with_typos("if x: return_1 == abc", 1, Random(0)).startswith("if x: r")
