"""A cache knows what its document has shown so far, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings

from tasks.baselines.causal_ngrams.cache import with_cache
from tasks.baselines.causal_ngrams.kneser_ney import KneserNey
from tasks.baselines.ngrams.counting import DISCOUNT, LEVELS
from tasks.baselines.ngrams.mixture import Mixture
from tests.tasks.baselines.causal_ngrams.documents import PREDICTED, VOCABULARY, documents, flat

ORDER = 3


@settings(max_examples=20)
@given(documents)
def test_each_share_is_of_what_followed_the_context_before(rows: list[list[int]]) -> None:
    tokens, offsets = flat(rows)
    found = with_cache(np.ones(len(tokens)), tokens, offsets, PREDICTED, ORDER)
    places = iter(range(len(tokens)))
    for row in rows:
        for place, token in enumerate(row):
            if not PREDICTED[token]:
                continue
            column = next(places)
            for length in range(ORDER):
                context = row[place - length : place] if place >= length else None
                seen = [
                    row[at]
                    for at in range(length, place)
                    if PREDICTED[row[at]] and row[at - length : at] == context
                ]
                component = ORDER - 1 - length
                assert (found.support[component, column] > 0) == bool(seen)
                count, kinds = seen.count(token), len(set(seen))
                share = (count - DISCOUNT) / (len(seen) - DISCOUNT * kinds) if count else 0
                assert found.of_target[component, column] == pytest.approx(share)
    assert next(places) == found.support.shape[1] == PREDICTED[tokens].sum()


@settings(max_examples=20)
@given(documents, documents)
def test_after_any_context_the_mixture_sums_to_one(training: list[list[int]], text: list[list[int]]) -> None:
    tokens, offsets = flat(training)
    model = KneserNey.of(tokens.astype(np.int32), offsets, 3, PREDICTED)
    random = np.random.default_rng(0).random((ORDER + 1, LEVELS + 1))
    random[:, 0] = 0.0
    read = [row[:-1] for row in text]
    rows = [[*row, token] for row in read for token in np.flatnonzero(PREDICTED)]
    asked, ends = flat(rows)
    evidence = with_cache(model.probabilities(asked, ends), asked, ends, PREDICTED, ORDER)
    last = np.cumsum(PREDICTED[asked])[ends[1:] - 1] - 1
    mixed = Mixture(random).probability(evidence.of_target, evidence.support)[last]
    assert mixed.reshape(len(text), -1).sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert len(mixed) == len(text) * (VOCABULARY - 3)
