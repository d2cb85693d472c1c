"""Texts by split: of tables without labels no document is in two splits, and every text is accounted for."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ArtifactError, DataError
from tasks.data.packing.config import PackConfig
from tasks.data.packing.documents import CuratedTexts
from tests.tasks.data.packing.sources import NO_SPLITS, corpus, lines, opened
from tests.tasks.models.tiny_encoder import write_dataset

TEXTS = [f"text {number}" for number in range(400)]
HALVES = PackConfig(validation_share=0.25, test_share=0.25)
SAME = st.sampled_from(["a", "A ", "b", "c c", "CC", "d", "e", "f", "g"]) | st.none()


def key(text: str) -> str:
    return "".join(text.casefold().split())


@settings(max_examples=40)
@given(st.lists(st.tuples(SAME, st.sampled_from(["train", "valid", "Test"])), min_size=1, max_size=20))
def test_no_document_is_in_two_splits_and_none_is_lost(rows: list[tuple[str | None, str]]) -> None:
    config = HALVES.model_copy(update={"split_column": "part"})
    with TemporaryDirectory() as folder:
        table = lines(Path(folder) / "t.jsonl", [text for text, _ in rows], part=[part for _, part in rows])
        if all(text is None for text, _ in rows):
            return
        source = opened(config, table)
        found = {split: list(source.texts(split)) for split in source.splits()}
    keys = [{key(text) for text in texts} for texts in found.values()]
    assert sum(map(len, keys)) == len(set().union(*keys))
    left_out = sum(counts.total() for counts in source.left_out.values())
    assert sum(map(len, found.values())) + left_out == len(rows)
    given_ = {part for text, part in rows if text is not None}
    for part, split in (("valid", "validation"), ("Test", "test")):
        if part in given_:
            assert set(found[split]) <= {text for text, where in rows if where == part}


def test_the_files_names_give_the_split_and_what_has_none_is_for_training(tmp_path: Path) -> None:
    files = [
        lines(tmp_path / "train.jsonl", ["one", "In both", None]),
        lines(tmp_path / "unsup-00.jsonl", ["two"]),
        lines(tmp_path / "test.jsonl", ["in  both", "three"]),
    ]
    source = opened(NO_SPLITS, *files)
    assert source.splits() == ("train", "test")
    assert list(source.texts("train")) == list(source.texts("train")) == ["one", "two"]
    assert source.left_out["train"] == {"held_out": 1, "missing": 1}
    assert list(source.texts("test")) == ["in  both", "three"]


def test_a_split_that_is_missing_is_made_by_its_share_and_the_seed_alone(tmp_path: Path) -> None:
    table = lines(tmp_path / "t.jsonl", TEXTS)
    source = opened(HALVES, table)
    found = {split: list(source.texts(split)) for split in source.splits()}
    assert sorted(text for texts in found.values() for text in texts) == sorted(TEXTS)
    assert [len(found[split]) for split in ("train", "validation", "test")] == pytest.approx(
        [200, 100, 100], abs=30
    )
    fewer = opened(HALVES, lines(tmp_path / "fewer.jsonl", TEXTS[::-2]))
    assert set(fewer.texts("test")) == set(found["test"]) & set(TEXTS[::-2])
    other = opened(HALVES.model_copy(update={"seed": 1}), table)
    assert set(other.texts("test")) != set(found["test"])
    assert opened(NO_SPLITS, table).splits() == ("train",)


def test_columns_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    table = lines(tmp_path / "t.jsonl", ["a"], body=["b"], count=[3], split=["holdout"])
    with pytest.raises(DataError, match=r"t\.jsonl has no column 'boddy'.*closest: body"):
        opened(PackConfig(text_column="boddy"), table)
    with pytest.raises(DataError, match=r"column 'count' holds int64: expected text"):
        opened(NO_SPLITS.model_copy(update={"text_column": "count", "split_column": "split"}), table)
    with pytest.raises(DataError, match="'holdout': expected train, validation or test"):
        opened(NO_SPLITS.model_copy(update={"split_column": "split"}), table)


def test_a_data_set_and_a_corpus_have_their_own_splits(tmp_path: Path) -> None:
    dataset = CuratedTexts(write_dataset(tmp_path / "dataset"))
    assert dataset.splits() == ("train", "validation", "test")
    assert [sum(1 for _ in dataset.texts(split)) for split in dataset.splits()] == [60, 30, 30]
    code = CuratedTexts(corpus(tmp_path / "corpus", train=["a = 1", "b = 2"], validation=["c = 3"]))
    assert code.splits() == ("train", "validation") and list(code.texts("train")) == ["a = 1", "b = 2"]
    with pytest.raises(ArtifactError, match="Run curate first"):
        CuratedTexts(tmp_path)
