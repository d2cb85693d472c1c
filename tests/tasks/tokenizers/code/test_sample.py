"""Which texts are learned from: within the bytes, evenly, and the same whatever their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import DataError
from tasks.tokenizers.code.sample import sampled

TEXTS = [f"text number {i} " * (1 + i % 7) for i in range(1_000)]
BYTES = sum(map(len, TEXTS))


def picked(texts: list[str], most: int, seed: int = 0, batch: int = 100) -> list[str]:
    batches = [texts[i : i + batch] for i in range(0, len(texts), batch)]
    return [text for chosen in sampled(lambda: batches, most, seed) for text in chosen]


@given(st.integers(200, 2 * BYTES), st.integers(0, 9))
def test_as_many_bytes_as_are_allowed_and_no_more(most: int, seed: int) -> None:
    try:
        found = picked(TEXTS, most, seed)
    except DataError:
        assert most < 1_000
    else:
        size = sum(map(len, found))
        assert size <= most and (size > min(most, BYTES) - 1_000)


def test_texts_are_from_all_over_the_stream_and_do_not_depend_on_its_order() -> None:
    found = picked(TEXTS, BYTES // 2)
    first = sum(text in set(TEXTS[:500]) for text in found)
    assert 0.45 < first / len(found) < 0.55
    assert set(picked(TEXTS[::-1], BYTES // 2, batch=7)) == set(found)
    assert set(picked(TEXTS, BYTES // 2, seed=1)) != set(found)


def test_all_are_given_where_they_fit() -> None:
    assert picked(TEXTS, BYTES) == TEXTS


@pytest.mark.parametrize(
    ("texts", "said"), [([], "has no text"), (["", ""], "has no text"), (["x" * 2_000], "Raise most_bytes")]
)
def test_nothing_to_learn_from_is_an_error(texts: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        picked(texts, 1_000)
