"""Packing counts what it keeps and drops, beside the course's way, whose own code is here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import DataError
from infra.files import folder_digest
from tasks.data.packing.config import PackConfig
from tasks.data.packing.documents import CuratedTexts
from tasks.data.packing.pack import blocks_in_thousands, pack_splits, pack_tables
from tasks.data.packing.tokens import open_tokenizer
from tasks.formats.packed_tokens import open_packed
from tasks.formats.packing_report import read_packing
from tests.tasks.data.packing.sources import NO_SPLITS, corpus, lines, pinned
from tests.tasks.data.packing.tiny_tokenizers import saved, word_piece


def course_blocks(rows: list[list[int]], length: int) -> list[list[int]]:
    """`group_texts` of the course, over batches of 1,000 rows as `datasets.map` makes them."""
    blocks = []
    for start in range(0, len(rows), 1_000):
        joined = sum(rows[start : start + 1_000], [])  # noqa: RUF017  # as the course has it
        total = (len(joined) // length) * length
        blocks += [joined[i : i + length] for i in range(0, total, length)]
    return blocks


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 9), st.integers(1, 80))
def test_the_courses_count_is_that_of_its_own_code(lengths: list[int], length: int, times: int) -> None:
    rows = [[1] * tokens for tokens in lengths * times]
    offsets = np.cumsum([0, *map(len, rows)])
    assert blocks_in_thousands(offsets, length) == len(course_blocks(rows, length))


def test_what_is_kept_dropped_and_left_out_is_in_the_report(tmp_path: Path) -> None:
    model = saved(word_piece(), tmp_path / "model")
    tables = [
        lines(tmp_path / "train.jsonl", ["rain"] * 2_100 + ["Sun", "猫", None]),
        lines(tmp_path / "test.jsonl", ["sun"] * 3),
    ]
    config = NO_SPLITS.model_copy(update={"length": 7})
    metrics = pack_tables(config, model, pinned(*tables), tmp_path / "out")
    report = read_packing(tmp_path / "out")
    train = report.splits["train"]
    assert (train.documents, train.empty, train.held_out, train.missing) == (2_101, 1, 1, 1)
    assert (train.tokens, train.blocks, train.dropped, train.longest) == (6_300, 900, 0, 3)
    assert train.blocks_in_thousands == 428 + 428 + 42  # three remainders, of 3,000, 3,000 and 300 tokens
    assert train.word_starts == train.tokens and train.tokens_per_document == pytest.approx(6_300 / 2_101)
    assert report.splits["test"].dropped == 2 and set(report.splits) == {"train", "test"}
    assert metrics == report.metrics() and metrics["train_blocks"] == 900.0


def test_blocks_are_the_tokens_of_transformers_in_their_order(tmp_path: Path) -> None:
    tokenizer, texts = word_piece(), [f"tell me the balances {'rain ' * n} tickets" for n in range(30)]
    dataset = CuratedTexts(corpus(tmp_path / "corpus", train=texts))
    pack_splits(NO_SPLITS, open_tokenizer(saved(tokenizer, tmp_path / "model")), dataset, tmp_path / "out")
    blocks = open_packed(tmp_path / "out" / "train").blocks(8)
    ids, starts = blocks[np.arange(len(blocks))]
    rows: list[list[int]] = tokenizer(texts)["input_ids"]
    assert ids.tolist() == course_blocks(rows, 8)
    continued = [tokenizer.convert_ids_to_tokens(int(token)).startswith("##") for token in ids.ravel()]
    assert any(continued) and starts.ravel().tolist() == [not inside for inside in continued]
    (places,) = np.nonzero(blocks.seams(np.arange(len(blocks))).ravel())
    assert (ids.ravel()[places] == tokenizer.cls_token_id).all()


def test_the_same_texts_give_the_same_bytes_whatever_is_tokenized_at_once(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(saved(word_piece(), tmp_path / "model"))
    dataset = CuratedTexts(
        corpus(tmp_path / "corpus", train=["tell me about rain"] * 50, test=["sun", "cold storm"] * 9)
    )
    digests = set()
    for characters in (1, 300, 10**6):
        output = tmp_path / str(characters)
        pack_splits(NO_SPLITS.model_copy(update={"batch_characters": characters}), tokenizer, dataset, output)
        digests.add(folder_digest(output))
    assert len(digests) == 1


@pytest.mark.parametrize("texts", [["rain"], ["猫"] * 9, [""] * 9])
def test_texts_that_are_no_whole_block_are_refused(texts: list[str], tmp_path: Path) -> None:
    model = saved(word_piece(), tmp_path / "model")
    with pytest.raises(
        DataError, match=r"train has [03] tokens in [19] texts, [09] of them empty.*expected 8 tokens"
    ):
        pack_tables(NO_SPLITS, model, pinned(lines(tmp_path / "t.jsonl", texts)), tmp_path / "out")


def test_no_texts_at_all_are_refused(tmp_path: Path) -> None:
    model = saved(word_piece(), tmp_path / "model")
    with pytest.raises(
        DataError, match=r"train has 0 tokens in 0 texts, 0 of them empty, and 2 were left out"
    ):
        pack_tables(NO_SPLITS, model, pinned(lines(tmp_path / "t.jsonl", [None, None])), tmp_path / "out")


def test_tables_that_changed_since_they_were_pinned_are_refused(tmp_path: Path) -> None:
    model, table = saved(word_piece(), tmp_path / "model"), lines(tmp_path / "t.jsonl", ["rain"] * 9)
    ref = pinned(table)
    lines(table, ["sun"] * 9)
    with pytest.raises(DataError, match="changed since this run began"):
        pack_tables(NO_SPLITS, model, ref, tmp_path / "out")


@pytest.mark.parametrize(
    "wrong", [{"length": 7}, {"validation_share": 0.3, "test_share": 0.3}, {"lenght": 128}]
)
def test_what_cannot_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"greater than or equal to 8|expected 0\.5 in all|did you mean 'length'"
    ):
        PackConfig(**wrong)
