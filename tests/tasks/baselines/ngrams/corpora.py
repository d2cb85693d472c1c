"""Small texts over few tokens, with frozen masks: where each context stands more than once."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from tasks.baselines.ngrams.counting import TrainingText
from tasks.baselines.ngrams.perplexity import Special
from tasks.baselines.ngrams.windows import NOT_LABELLED

PAD, MASK, CLS, SEP = range(4)
SPECIAL = Special(MASK, PAD, (CLS, SEP))
VOCABULARY = 9
WORDS = range(4, VOCABULARY)


class Masked(NamedTuple):
    input_ids: np.ndarray
    labels: np.ndarray


documents = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=12).map(lambda words: [CLS, *words, SEP]),
    min_size=1,
    max_size=8,
)


@st.composite
def masked_sets(draw: st.DrawFn) -> Masked:
    """Padded documents with one labelled position or more, which show [MASK], another token or their own."""
    rows = draw(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), min_size=1, max_size=4))
    seed = draw(st.integers(0, 2**31))
    return freeze(rows, np.random.default_rng(seed))


def freeze(rows: list[list[int]], random: np.random.Generator, rate: float = 0.3) -> Masked:
    """Masks of `rate` over the words of some documents, 80/10/10; the first word is always labelled."""
    longest = max(map(len, rows)) + 2
    ids = np.full((len(rows), longest), PAD, dtype=np.int64)
    labels = np.full_like(ids, NOT_LABELLED)
    for row, words in enumerate(rows):
        ids[row, : len(words) + 2] = [CLS, *words, SEP]
        chosen = [0, *(np.flatnonzero(random.random(len(words) - 1) < rate) + 1)]
        for column in np.array(chosen, dtype=np.int64) + 1:
            labels[row, column] = ids[row, column]
            kind = random.random()
            if kind < 0.8:
                ids[row, column] = MASK
            elif kind < 0.9:
                ids[row, column] = random.integers(VOCABULARY)
    return Masked(ids, labels)


def flat(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens int32 and offsets int64 of some documents."""
    tokens = np.array([token for row in rows for token in row], dtype=np.int32)
    return tokens, np.cumsum([0, *map(len, rows)], dtype=np.int64)


def training_text(rows: list[list[int]], piece: int = 1 << 20) -> TrainingText:
    """As the baseline reads it: words are predicted, special tokens are context alone."""
    predictable = np.ones(VOCABULARY, dtype=bool)
    predictable[list(SPECIAL.ids)] = False
    return TrainingText(*flat(rows), predictable, piece)
