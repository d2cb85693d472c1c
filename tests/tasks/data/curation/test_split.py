"""Splits: what is given is kept, what is missing is made, stratified and seeded."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import DataError
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.split import given_splits, hold_out
from tests.tasks.data.curation.extracts import curated, sentence, sentences, step, write_extract


def test_given_splits_are_kept_and_rows_without_any_are_of_train() -> None:
    column = pa.chunked_array([["train", "test"], ["validation"]], pa.string())
    assert given_splits(column).equals(column)
    assert given_splits(pa.chunked_array([[None, None]], pa.string())).to_pylist() == ["train", "train"]


def test_splits_without_train_are_an_error() -> None:
    with pytest.raises(DataError, match="expected rows for train"):
        given_splits(pa.chunked_array([["test", "validation"]]))


@given(
    st.lists(st.integers(2, 60), min_size=1, max_size=12),
    st.sampled_from([0.1, 0.2, 0.25]),
    st.integers(0, 5),
)
def test_each_label_is_within_one_row_of_its_share(sizes: list[int], share: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    taken, notes = hold_out(labels, np.arange(len(labels)), share, seed)
    if not notes:  # As many rows as labels do not fit the share: said, and tested below.
        counts = np.bincount(labels[taken], minlength=len(sizes))
        assert np.all(np.abs(counts - share * np.array(sizes)) <= 1 + 0.5 / len(sizes))
    assert 0 < taken.sum() < len(labels)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 15)), min_size=1, max_size=80),
    st.sampled_from([0.1, 0.3, 0.5]),
)
def test_groups_are_never_parted_and_odd_tables_never_crash(
    rows: list[tuple[int, int]], share: float
) -> None:
    labels, groups = np.array(rows).T
    taken, _ = hold_out(labels, groups, share, seed=0)
    for group in np.unique(groups):
        assert len(np.unique(taken[groups == group])) == 1
    assert taken.sum() < len(rows)


def test_more_labels_than_a_share_has_rows_gives_each_label_one_and_says_so() -> None:
    labels = np.repeat(np.arange(50), 5)
    taken, notes = hold_out(labels, np.arange(250), 0.1, seed=0)
    assert np.array_equal(np.bincount(labels[taken]), np.ones(50))
    assert notes == ["25 rows would be 10%; 50 were taken, as many as there are labels"]


def test_an_absent_split_is_made_in_tenths(tmp_path: Path) -> None:
    texts, labels = sentences("abcd", each=50)
    write_extract(tmp_path / "extract", text=texts, label=labels)
    report, splits = curated(tmp_path)
    assert report.splits == {"train": 160, "validation": 20, "test": 20}
    assert report.made_splits == ("validation", "test")
    assert {row["label"] for row in splits["test"]} == set("abcd")
    assert step(report, "split").changed == 40


def test_a_missing_validation_split_is_made_from_train_alone(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=60)
    given_names = ["test" if i % 3 == 0 else "train" for i in range(120)]
    write_extract(tmp_path / "extract", text=texts, label=labels, split=given_names)
    report, splits = curated(tmp_path)
    assert report.splits == {"train": 72, "validation": 8, "test": 40}
    assert report.made_splits == ("validation",)
    assert [row["text"] for row in splits["test"]] == texts[::3]


def test_rows_keep_their_order_and_none_is_in_two_splits(tmp_path: Path) -> None:
    texts, labels = sentences("abc", each=40)
    write_extract(tmp_path / "extract", text=texts, label=labels)
    _, splits = curated(tmp_path)
    found = [[texts.index(str(row["text"])) for row in rows] for rows in splits.values()]
    assert all(places == sorted(places) for places in found)
    assert sorted(place for places in found for place in places) == list(range(120))


def test_rows_of_a_named_group_stay_on_one_side(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=100)
    groups = [f"customer {i % 23}" if i % 5 else None for i in range(200)]
    write_extract(tmp_path / "extract", text=texts, label=labels, group=groups)
    _, splits = curated(tmp_path)
    sides: dict[str, set[str]] = {}
    for split, rows in splits.items():
        for row in rows:
            if (group := groups[texts.index(str(row["text"]))]) is not None:
                sides.setdefault(group, set()).add(split)
    assert sides and all(len(side) == 1 for side in sides.values())


def test_near_same_texts_stay_on_one_side(tmp_path: Path) -> None:
    long = [f"{sentence(str(i))} {sentence(str(i + 1000))}" for i in range(60)]
    texts = [text for i, text in enumerate(long) for text in (text, f"{text}{'xyzuvw'[i % 6]}")]
    write_extract(tmp_path / "extract", text=texts, label=["a", "a", "b", "b"] * 30)
    report, splits = curated(tmp_path, CurateConfig(near_duplicate_threshold=None))
    assert step(report, "leakage").rows_in == step(report, "leakage").rows_out == 120
    for rows in splits.values():
        kept = [str(row["text"]) for row in rows]
        assert all((text in kept) == (text[:-1] in kept) for text in kept if text not in long)


def test_one_group_cannot_be_parted(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=10)
    write_extract(tmp_path / "extract", text=texts, label=labels, group=["one"] * 20)
    with pytest.raises(DataError, match="no test split can be set aside from 20 rows in 1 groups"):
        curated(tmp_path)


def test_another_seed_makes_another_split(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=50)
    write_extract(tmp_path / "extract", text=texts, label=labels)
    _, first = curated(tmp_path)
    _, second = curated(tmp_path, CurateConfig(seed=1))
    assert first["test"] != second["test"]


def test_groups_across_given_splits_are_warned_of(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=30)
    names = [("test", "validation", "train")[i % 3] for i in range(60)]
    write_extract(tmp_path / "extract", text=texts, label=labels, split=names, group=["x"] * 4 + [None] * 56)
    report, _ = curated(tmp_path)
    assert "1 groups have rows in several of the given splits" in report.warnings[0]


def test_groups_too_large_for_the_share_are_said(tmp_path: Path) -> None:
    texts, labels = sentences("ab", each=60)
    write_extract(tmp_path / "extract", text=texts, label=labels, group=[f"team {i % 4}" for i in range(120)])
    report, _ = curated(tmp_path)
    assert report.splits == {"train": 60, "validation": 30, "test": 30}
    assert report.warnings[0] == "test: has 25.0% of the rows, 10% was asked"
