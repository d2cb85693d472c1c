"""Files that say the same: equal but for blanks, or with nearly the same words.

Near: Jaccard similarity of the sets of words, as CodeParrot's deduplication and Allamanis, "The adverse effects of code
duplication in machine learning models of code" (2019), take it; a change of layout or of a few names does not hide a copy.
"""

import hashlib
import re

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tasks.data.curation.curation_log import Filter, Judgement
from tasks.data.curation.near import NearIndex

WORD = re.compile(r"\w+")
CHUNK = 256  # files whose words are in memory at a time


def exact_copies() -> Filter:
    """The first file of those that are equal but for blanks stays."""

    def judge(rows: pa.Table) -> Judgement:
        first: dict[bytes, int] = {}
        keys = (hashlib.sha256("".join(str(text).split()).encode()).digest() for text in rows["text"])
        like = np.array([first.setdefault(key, i) for i, key in enumerate(keys)], dtype=np.int64)
        return Judgement(like == np.arange(rows.num_rows), like)

    return Filter("exact_duplicates", "equal to a file before, but for blanks", judge, spares_test=False)


def near_copies(threshold: float) -> Filter:
    """The first file of those with nearly the same words stays, whatever repository the others are in."""

    def judge(rows: pa.Table) -> Judgement:
        like = np.arange(rows.num_rows)
        index = NearIndex(threshold, _words, CHUNK)
        keys = (word_key(str(text)) for text in rows["text"])
        with tqdm(
            total=rows.num_rows, desc="near duplicates", unit=" files", disable=None, leave=False
        ) as bar:
            for i, text in enumerate(index.sign(keys)):
                bar.update()
                twin = next(index.matches(text), None)
                if twin is None:
                    index.add(i, text)
                else:
                    like[i] = twin
        return Judgement(like == np.arange(rows.num_rows), like)

    reason = f"its words are {threshold:g} alike or more (Jaccard) to those of a file before"
    return Filter("near_duplicates", reason, judge, spares_test=False)


def word_key(text: str) -> str:
    """The distinct words of a file, sorted, as one text."""
    return " ".join(sorted(set(WORD.findall(text))))


def _words(key: str) -> set[str]:
    return set(key.split(" "))
