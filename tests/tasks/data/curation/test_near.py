"""Near-same texts are found, all of them, and nothing else."""

import random
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.data.curation.near import MAX_BAND_COLLISIONS, NearIndex, banding, grams, jaccard
from tasks.data.curation.text import comparison_key, normalise
from tests.tasks.data.curation.extracts import sentence


def keys_of(*texts: str) -> list[str]:
    return comparison_key(pa.chunked_array([list(texts)], pa.string())).to_pylist()


def test_case_forms_blanks_and_the_last_stop_do_not_matter() -> None:
    assert set(keys_of("What's my balance?", "what's  my BALANCE", "ｗhat's my balance ...")) == {
        "what's my balance"
    }


def test_signs_that_carry_meaning_stay() -> None:
    assert len(set(keys_of("c", "c++", "c#", "?", "!", "yes", "yes, no"))) == 7


@given(st.text())
def test_a_key_is_its_own_key_and_empty_only_for_blanks(text: str) -> None:
    (key,) = keys_of(text)
    assert keys_of(key) == [key]
    assert key or normalise(pa.chunked_array([[text]])).to_pylist() == [""]


@given(st.text())
def test_normal_text_is_composed_trimmed_and_normal_already(text: str) -> None:
    (normal,) = normalise(pa.chunked_array([[text]])).to_pylist()
    assert normal == unicodedata.normalize("NFC", normal) == normal.strip(" ")
    assert normalise(pa.chunked_array([[normal]])).to_pylist() == [normal]


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_banding_misses_at_most_one_pair_in_a_million(threshold: float) -> None:
    bands, width = banding(threshold)
    assert (1 - min(threshold, 0.999) ** width) ** bands <= 1e-6
    assert bands * width <= 256


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95])
def test_the_index_finds_the_pairs_that_comparing_all_with_all_finds(threshold: float) -> None:
    dice = random.Random(0)
    texts = [sentence(str(i)) + " " + sentence(f"again {i}") for i in range(60)]
    for text in list(texts):
        for _ in range(4):
            at = dice.randrange(len(text))
            texts.append(text[:at] + dice.choice("xyz ") + text[at + dice.choice((0, 1, 6)) :])
    keys = list(dict.fromkeys(keys_of(*texts)))
    index, found = NearIndex(threshold), set()
    for i, text in enumerate(index.sign(keys)):
        found |= {(j, i) for j in index.matches(text)}
        index.add(i, text)
    sets = [grams(key) for key in keys]
    pairs = ((i, j) for j in range(len(keys)) for i in range(j))
    expected = {(i, j) for i, j in pairs if jaccard(sets[i], sets[j]) >= threshold}
    assert found == expected and expected


def test_equal_texts_are_found_in_any_crowd() -> None:
    index = NearIndex(0.9)
    keys = [
        f"order {i:06d} was delivered late to the wrong address in the afternoon again"
        for i in range(3 * MAX_BAND_COLLISIONS)
    ]
    for i, text in enumerate(index.sign(keys)):
        index.add(i, text)
    for i, text in enumerate(index.sign(keys)):
        assert i in index.matches(text)


def test_texts_shorter_than_a_gram_are_compared_whole() -> None:
    index = NearIndex(0.9)
    yes, no, again = index.sign(["yes", "no", "yes"])
    index.add(0, yes)
    index.add(1, no)
    assert list(index.matches(again)) == [0]


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_symmetric_and_one_only_for_equal_grams(left: str, right: str) -> None:
    a, b = grams(left), grams(right)
    assert jaccard(a, b) == jaccard(b, a)
    assert (jaccard(a, b) == 1) == (a == b)
