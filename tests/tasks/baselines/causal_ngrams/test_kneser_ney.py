"""Modified Kneser-Ney against its formula, written down slowly, and the laws of any distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import DataError
from tasks.baselines.causal_ngrams.kneser_ney import FALLBACK, KneserNey, estimated_discounts
from tests.tasks.baselines.causal_ngrams.documents import (
    PREDICTED,
    VOCABULARY,
    documents,
    flat,
)

ORDER = 4
contexts = st.lists(st.integers(0, VOCABULARY - 1), max_size=6)


def model_of(rows: list[list[int]], order: int = ORDER) -> KneserNey:
    tokens, offsets = flat(rows)
    return KneserNey.of(tokens.astype(np.int32), offsets, order, PREDICTED)


class Formula:
    """Chen & Goodman (1999), a dictionary at a time; each document's beginning is a left neighbour of its own."""

    def __init__(self, rows: list[list[int]], order: int) -> None:
        self.order, self.counts = order, []
        for length in range(1, order + 1):
            found: dict[tuple[int, ...], list[object]] = {}
            for number, row in enumerate(rows):
                for begin in range(len(row) - length + 1):
                    gram = tuple(row[begin : begin + length])
                    before = row[begin - 1] if begin else ("begin", number)
                    if PREDICTED[gram[-1]]:
                        found.setdefault(gram, []).append(before)
            highest = length == order
            self.counts.append(
                {gram: len(before if highest else set(before)) for gram, before in found.items()}
            )
        self.discounts = [
            estimated_discounts(np.array([*own.values()], dtype=np.int64)) for own in self.counts
        ]

    def probability(self, token: int, context: list[int]) -> float:
        if not PREDICTED[token]:
            return 0.0
        shorter = 1 / PREDICTED.sum() if not context else None  # below the unigrams every token is alike
        own = self.counts[len(context)]
        followers = {gram[-1]: count for gram, count in own.items() if gram[:-1] == tuple(context)}
        lower = shorter if shorter is not None else self.probability(token, context[1:])
        if not followers:
            return float(lower)
        taken = self.discounts[len(context)]
        total, count = sum(followers.values()), followers.get(token, 0)
        left = sum(taken[min(found, 3)] for found in followers.values())
        return float((max(count - taken[min(count, 3)], 0) + left * lower) / total)


@settings(max_examples=15)
@given(documents, documents)
def test_each_token_has_the_probability_of_the_formula(
    training: list[list[int]], text: list[list[int]]
) -> None:
    formula, found = Formula(training, ORDER), model_of(training).probabilities(*flat(text))
    expected = [
        formula.probability(token, row[max(0, place - ORDER + 1) : place])
        for row in text
        for place, token in enumerate(row)
    ]
    assert found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25)
@given(documents, contexts)
def test_after_any_context_the_probabilities_sum_to_one(
    training: list[list[int]], context: list[int]
) -> None:
    model = model_of(training)
    distribution = model.distribution(context)
    assert distribution.sum() == pytest.approx(1.0)
    assert np.all(distribution[PREDICTED] > 0) and not distribution[~PREDICTED].any()
    rows = [[*context, token] for token in range(VOCABULARY)]
    asked = model.probabilities(*flat(rows)).reshape(VOCABULARY, -1)[:, -1]
    assert distribution == pytest.approx(asked, abs=1e-12)


def test_discounts_are_estimated_where_there_is_enough_to_estimate_them() -> None:
    counts = np.repeat([1, 2, 3, 4, 9], [40, 12, 6, 3, 5])
    share = 40 / (40 + 24)
    assert estimated_discounts(counts) == pytest.approx(
        [0, 1 - 2 * share * 12 / 40, 2 - 3 * share * 6 / 12, 3 - 4 * share * 3 / 6]
    )
    assert estimated_discounts(np.array([1, 1, 2])).tolist() == [0.0, *FALLBACK]


def test_a_text_without_tokens_or_of_another_vocabulary_is_refused() -> None:
    with pytest.raises(DataError, match="the text has no tokens"):
        model_of([])
    with pytest.raises(DataError, match="token ids from 4 to 9: expected 0 to 8"):
        model_of([[4, 9]])
