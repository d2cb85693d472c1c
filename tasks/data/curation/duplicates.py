"""Rows that say the same: conflicting labels, duplicates in a split, leakage between splits."""

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from tasks.data.curation.curation_log import Filter, Judgement
from tasks.data.curation.near import NearIndex, Signed
from tasks.data.curation.rows import codes, in_split

ENOUGH_MATCHES = 16  # links that tie a text to its cluster; more of them say nothing new


def conflicts() -> Filter:
    """Same text with several labels in one split: the label of more than half of its rows stays, or none."""

    def judge(rows: pa.Table) -> Judgement:
        text = codes(rows["split"], rows["key"])
        answer = codes(rows["split"], rows["key"], rows["label"])
        votes, total = np.bincount(answer)[answer], np.bincount(text)[text]
        return Judgement(votes * 2 > total)

    return Filter(
        "conflicts", "the same text has several labels in this split, and this is not the majority", judge
    )


def exact_duplicates() -> Filter:
    """Same text and label in one split: the first stays."""

    def judge(rows: pa.Table) -> Judgement:
        same = codes(rows["split"], rows["key"], rows["label"])
        _, first = np.unique(same, return_index=True)
        like = first[same]
        return Judgement(like == np.arange(rows.num_rows), like)

    return Filter("exact_duplicates", "the same text and label came before in this split", judge)


def near_duplicates(threshold: float) -> Filter:
    """Near-same text and same label in one split: the first stays. The test split is not looked at."""

    def judge(rows: pa.Table) -> Judgement:
        like = np.arange(rows.num_rows)
        labels = codes(rows["label"])
        for split in ("train", "validation"):
            index = NearIndex(threshold)
            for i, text in _signed(index, rows, np.flatnonzero(in_split(rows, split)), "near duplicates"):
                twin = next((j for j in index.matches(text) if labels[j] == labels[i]), None)
                if twin is None:
                    index.add(i, text)
                else:
                    like[i] = twin
        return Judgement(like == np.arange(rows.num_rows), like)

    reason = (
        f"a text {threshold:g} alike or more (Jaccard, 5-grams) with this label came before in this split"
    )
    return Filter("near_duplicates", reason, judge)


def leakage(threshold: float) -> Filter:
    """Texts of train that are near-same to one of validation or test, and of validation to one of test, go.

    Whatever their labels. Test is never touched: what it measures must not depend on what was trained with.
    """

    def judge(rows: pa.Table) -> Judgement:
        like = np.arange(rows.num_rows)
        index = NearIndex(threshold)
        for split in ("test", "validation", "train"):
            kept: list[tuple[int, Signed]] = []
            for i, text in _signed(index, rows, np.flatnonzero(in_split(rows, split)), "leakage"):
                twin = None if split == "test" else next(index.matches(text), None)
                if twin is not None:
                    like[i] = twin
                elif split != "train":
                    kept.append((i, text))
            for i, text in kept:  # Only now: likeness inside of a split is another filter's business.
                index.add(i, text)
        return Judgement(like == np.arange(rows.num_rows), like)

    reason = f"a text {threshold:g} alike or more (Jaccard, 5-grams) is in a split that is measured"
    return Filter("leakage", reason, judge)


def near_clusters(rows: pa.Table, threshold: float) -> np.ndarray:
    """A number for each row, int64 [n], equal for rows that are near-same or of one group, or linked so."""
    index = NearIndex(threshold)
    edges: list[tuple[int, int]] = []
    for i, text in _signed(index, rows, np.arange(rows.num_rows), "clusters"):
        edges += [(i, j) for j in islice(index.matches(text), ENOUGH_MATCHES)]
        index.add(i, text)
    edges += _group_edges(rows)
    left, right = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array(
        (np.ones(len(left), dtype=np.int8), (left, right)), shape=(rows.num_rows, rows.num_rows)
    )
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _group_edges(rows: pa.Table) -> list[tuple[int, int]]:
    """Each row of a named group with the group's first row."""
    first: dict[str, int] = {}
    named = ((i, name) for i, name in enumerate(rows["group"].to_pylist()) if name is not None)
    return [(i, j) for i, name in named if (j := first.setdefault(name, i)) != i]


def _signed(index: NearIndex, rows: pa.Table, places: np.ndarray, what: str) -> Iterator[tuple[int, Signed]]:
    """The rows at `places` with their texts ready to be looked up, under a progress bar."""
    keys = rows["key"].take(pa.array(places)).to_pylist()
    signed = zip(places.tolist(), index.sign(keys), strict=True)
    yield from tqdm(signed, total=len(places), desc=what, unit="row", disable=None, leave=False)
