"""Files that say the same: equal but for blanks, or with nearly the same words.

Near: Jaccard similarity of the sets of words, as CodeParrot's deduplication and Allamanis, "The adverse effects of code
duplication in machine learning models of code" (2019), take it; a change of layout or of a few names does not hide a copy.

Of copies in several splits the one that is held out stays, test before validation before train; in one split the first.
"""

import hashlib

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from tasks.data.curation.code.words import words_of
from tasks.data.curation.curation_log import Filter, Judgement
from tasks.data.curation.near import NearIndex
from tasks.data.curation.rows import in_split
from tasks.formats.dataset import SPLITS

CHUNK = 256  # files whose words are in memory at a time


def exact_copies() -> Filter:
    """The first file of those that are equal but for blanks stays."""

    def judge(rows: pa.Table) -> Judgement:
        first: dict[bytes, int] = {}
        like = np.arange(rows.num_rows)
        for i in held_out_first(rows):
            like[i] = first.setdefault(content_digest(rows["text"][i].as_py()), i)
        return Judgement(like == np.arange(rows.num_rows), like)

    return Filter("exact_duplicates", "equal to another file, but for blanks", judge, spares_test=False)


def near_copies(threshold: float) -> Filter:
    """The first file of those with nearly the same words stays, whatever repository the others are in."""

    def judge(rows: pa.Table) -> Judgement:
        like = np.arange(rows.num_rows)
        index = NearIndex(threshold, _words, CHUNK)
        order = held_out_first(rows)
        keys = (word_key(rows["text"][i].as_py()) for i in order)
        with tqdm(
            total=rows.num_rows, desc="near duplicates", unit=" files", disable=None, leave=False
        ) as bar:
            for i, text in zip(order, index.sign(keys), strict=True):
                bar.update()
                twin = next(index.matches(text), None)
                if twin is None:
                    index.add(i, text)
                else:
                    like[i] = twin
        return Judgement(like == np.arange(rows.num_rows), like)

    reason = f"its words are {threshold:g} alike or more (Jaccard) to those of another file"
    return Filter("near_duplicates", reason, judge, spares_test=False)


def held_out_first(rows: pa.Table) -> list[int]:
    """Numbers of the rows: those of test, of validation, of train."""
    return [int(i) for split in reversed(SPLITS) for i in np.flatnonzero(in_split(rows, split))]


def content_digest(text: str) -> bytes:
    """The same for files that are equal but for blanks."""
    return hashlib.sha256("".join(text.split()).encode()).digest()


def word_key(text: str) -> str:
    """The distinct words of a file, sorted, as one text."""
    return " ".join(sorted(set(words_of(text))))


def _words(key: str) -> set[str]:
    return set(key.split(" "))
