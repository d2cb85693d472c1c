"""What a row must have to be of use: a text, a label, a sensible size, readable characters.

To add a filter, write a function that gives a `Filter` and put it in `row_filters`.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curation_log import Filter, Judgement
from tasks.data.curation.text import normalise, normalise_labels

# RE2 classes.
LETTERS = r"[\p{L}\p{M}\p{N}]"
UNREADABLE = r"[\x{FFFD}\p{Co}]"
WORDS = r"[^\s\p{Z}]+"


def count_words(texts: pa.ChunkedArray) -> np.ndarray:
    """Blank-separated words of each text, int64 [n]."""
    return pc.count_substring_regex(texts, WORDS).to_numpy().astype(np.int64)


def presence_filters() -> tuple[Filter, ...]:
    """A row without text or label is of no use in any split."""
    return (_has("text", normalise), _has("label", normalise_labels))


def row_filters(config: CurateConfig) -> tuple[Filter, ...]:
    """Filters that look at one row at a time, in order."""
    return (_size(config), _characters(config))


def _has(column: str, clean: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> Filter:
    def judge(rows: pa.Table) -> Judgement:
        filled = pc.not_equal(pc.fill_null(clean(rows[column]), ""), "")
        return Judgement(filled.to_numpy(zero_copy_only=False))

    return Filter(f"has_{column}", f"the {column} is missing or blank", judge, spares_test=False)


def _size(config: CurateConfig) -> Filter:
    def judge(rows: pa.Table) -> Judgement:
        characters, words = pc.utf8_length(rows["text"]).to_numpy(), count_words(rows["text"])
        fits = (config.min_characters <= characters) & (characters <= config.max_characters)
        return Judgement(fits & (config.min_words <= words) & (words <= config.max_words))

    reason = (
        f"not {config.min_characters} to {config.max_characters} characters "
        f"and {config.min_words} to {config.max_words} words"
    )
    return Filter("size", reason, judge)


def _characters(config: CurateConfig) -> Filter:
    def judge(rows: pa.Table) -> Judgement:
        length = np.maximum(pc.utf8_length(rows["text"]).to_numpy(), 1)
        letters = pc.count_substring_regex(rows["text"], LETTERS).to_numpy() / length
        unreadable = pc.count_substring_regex(rows["text"], UNREADABLE).to_numpy() / length
        return Judgement((letters >= config.min_letter_share) & (unreadable <= config.max_unreadable_share))

    reason = (
        f"under {config.min_letter_share:.0%} letters and digits, "
        f"or over {config.max_unreadable_share:.0%} characters of a wrong encoding"
    )
    return Filter("characters", reason, judge)
