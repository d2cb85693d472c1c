"""Runs that stand in the training text are found, each of them and none beside."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.evaluation.memorisation.run_keys import RunKeys
from tasks.evaluation.memorisation.runs import Texts, Training

text = st.lists(st.integers(0, 2), max_size=40)


def longest_of(row: list[int], training: list[int]) -> int:
    there = {tuple(training[begin:end]) for end in range(len(training) + 1) for begin in range(end)}
    runs = (row[begin:end] for end in range(len(row) + 1) for begin in range(end))
    return max((len(run) for run in runs if tuple(run) in there), default=0)


@settings(max_examples=25)
@given(st.lists(text, min_size=1, max_size=4), text.map(lambda row: row * 2), st.integers(1, 20))
def test_each_run_of_a_length_is_found(rows: list[list[int]], trained: list[int], length: int) -> None:
    texts = Texts.of(rows)
    training = Training(np.array(trained, dtype=np.int32), texts)
    there = {tuple(trained[at : at + length]) for at in range(len(trained) - length + 1)}
    expected = [
        int(texts.offsets[number]) + at
        for number, row in enumerate(rows)
        for at in range(len(row) - length + 1)
        if tuple(row[at : at + length]) in there
    ]
    assert training.copied(texts, length).tolist() == expected
    assert training.longest(texts) == max(longest_of(row, trained) for row in rows)


def test_long_runs_are_found_to_the_token() -> None:
    random = np.random.default_rng(0)
    trained = random.integers(0, 500, 20_000).astype(np.int32)
    rows = [
        trained[700:837].tolist(),
        [*trained[90:120].tolist(), 501, *trained[5:9].tolist()],
        [501] * 60,
        [],
    ]
    several = [Texts.of([row]) for row in rows]
    training = Training(trained, Texts.joined(several))
    assert [training.longest(texts) for texts in several] == [137, 30, 0, 0]
    assert Texts.joined(several).offsets.tolist() == Texts.of(rows).offsets.tolist()


@settings(max_examples=25)
@given(text, st.integers(1, 8), st.integers(1, 7))
def test_runs_of_the_same_tokens_have_one_key_wherever_they_stand(
    row: list[int], length: int, piece: int
) -> None:
    twice = np.array([2, *row, 1, *row], dtype=np.int64)
    places = np.arange(max(0, len(row) - length + 1))
    keys = RunKeys(twice, piece)
    assert np.array_equal(keys.of(places + 1, length), keys.of(places + len(row) + 2, length))
