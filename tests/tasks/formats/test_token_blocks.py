"""Windows ask for every token but the first, each once, whatever their length; what is left over is less than one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import ConfigError
from tasks.formats.token_blocks import LONG, SHORT, Windows, code

documents = st.lists(st.lists(st.integers(0, 99), max_size=9), max_size=8)


def windows_of(rows: list[list[int]], length: int, kind: np.dtype = SHORT) -> tuple[np.ndarray, Windows]:
    """All ids one after the other, and their windows."""
    ids = np.array([token for row in rows for token in row], dtype=np.int64)
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    return ids, Windows(code(ids, None, kind), offsets, length)


@given(documents, st.integers(1, 7), st.sampled_from([SHORT, LONG]))
def test_every_token_but_the_first_is_said_once_and_in_order(
    rows: list[list[int]], length: int, kind: np.dtype
) -> None:
    ids, windows = windows_of(rows, length, kind)
    found = windows[np.arange(len(windows))]
    assert found.shape == (len(windows), length + 1) and found.dtype == np.int64
    said, read = found[:, 1:].ravel(), found[:, :-1].ravel()
    assert windows.dropped == max(len(ids) - 1, 0) - len(said) < length
    assert said.tolist() == ids[1 : 1 + len(said)].tolist()
    assert read.tolist() == ids[: len(read)].tolist()


@given(documents, st.integers(1, 7))
def test_tokens_of_one_document_have_one_number_and_no_others_have_it(
    rows: list[list[int]], length: int
) -> None:
    _, windows = windows_of(rows, length)
    own = np.array([number for number, row in enumerate(rows) for _ in row], dtype=np.int64)
    numbers = windows.documents(np.arange(len(windows))).ravel()
    places = (np.arange(len(windows))[:, None] * length + np.arange(length + 1)).ravel()
    for place, number in zip(places, numbers, strict=True):
        assert {*own[places[numbers == number]]} == {own[place]}
        assert {*numbers[own[places] == own[place]]} == {number}


def test_windows_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    _, windows = windows_of([list(range(10)), list(range(10, 23))], 5)
    assert len(windows) == 4 and windows.dropped == 2
    assert windows[np.array([3, 0])].tolist() == [[15, 16, 17, 18, 19, 20], [0, 1, 2, 3, 4, 5]]
    assert windows.documents(np.array([1]))[0].tolist() == [1, 1, 1, 1, 1, 2]
    assert windows[np.array([], dtype=np.int64)].shape == (0, 6)


def test_a_window_that_there_is_not_and_a_length_of_nothing_are_refused() -> None:
    _, windows = windows_of([list(range(10))], 3)
    for numbers in ([3], [-1], [0, 9]):
        with pytest.raises(IndexError, match="of 3"):
            windows[np.array(numbers)]
        with pytest.raises(IndexError, match="of 3"):
            windows.documents(np.array(numbers))
    with pytest.raises(ConfigError, match="windows of 0 tokens were asked for"):
        windows_of([[1]], 0)
