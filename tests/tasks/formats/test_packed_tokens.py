"""Packed tokens come back as they were written, as documents and as blocks, and a damaged folder is not read."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import ArtifactError, ConfigError, StoreError
from tasks.formats.packed_tokens import (
    INFO_FILE,
    OFFSETS_FILE,
    TOKENS_FILE,
    PackedTokens,
    Tokenized,
    VocabularyInfo,
    open_packed,
    write_packed,
)

SIZES = (3, 1 << 15, (1 << 15) + 1, 1 << 31)  # around the border of both integers
Document = list[tuple[int, bool]]


def vocabulary(size: int) -> VocabularyInfo:
    return VocabularyInfo(size=size, special=(0,), mask=2, pad=None, digest="d" * 64)


def tokenized(documents: list[Document]) -> Tokenized:
    flat = [token for document in documents for token in document]
    ids = np.array([token for token, _ in flat], dtype=np.int64)
    starts = np.array([starts for _, starts in flat], dtype=bool)
    return Tokenized(ids, starts, np.array([len(document) for document in documents], dtype=np.int64))


@st.composite
def written(draw: st.DrawFn) -> tuple[int, list[list[Document]]]:
    """The size of a vocabulary, and batches of documents of it."""
    size = draw(st.sampled_from(SIZES))
    token = st.tuples(st.integers(0, size - 1), st.booleans())
    return size, draw(st.lists(st.lists(st.lists(token, max_size=9), max_size=4), max_size=4))


@settings(max_examples=60)
@given(written(), st.integers(1, 7))
def test_documents_and_blocks_are_what_was_written(
    given_: tuple[int, list[list[Document]]], length: int
) -> None:
    size, batches = given_
    documents = [document for batch in batches for document in batch]
    flat = [token for document in documents for token in document]
    with TemporaryDirectory() as folder:
        info = write_packed(Path(folder), map(tokenized, batches), vocabulary(size))
        packed = open_packed(Path(folder))
        assert packed.info == info and packed.tokens.itemsize == (2 if size <= 1 << 15 else 4)
        assert (info.documents, info.tokens) == (len(documents), len(flat))
        assert info.empty == sum(not document for document in documents)
        assert info.longest == max(map(len, documents), default=0)
        assert info.word_starts == sum(starts for _, starts in flat)
        rows = packed.documents
        assert list(rows.lengths) == list(map(len, documents))
        for row, document in enumerate(documents):
            assert list(zip(rows[row], rows.word_starts(row), strict=True)) == document
        blocks_cover(packed, flat, {int(offset) for offset in packed.offsets[:-1]}, length)


def blocks_cover(packed: PackedTokens, flat: Document, firsts: set[int], length: int) -> None:
    """Every token once and in its order, but for the remainder."""
    blocks = packed.blocks(length)
    assert len(blocks) == len(flat) // length and blocks.dropped == len(flat) % length
    numbers = np.arange(len(blocks))
    ids, starts = blocks[numbers]
    assert ids.dtype == np.int64 and ids.shape == starts.shape == (len(blocks), length)
    whole = flat[: len(blocks) * length]
    assert list(zip(ids.ravel(), starts.ravel(), strict=True)) == whole
    assert [place in firsts for place in range(len(whole))] == blocks.seams(numbers).ravel().tolist()
    backwards = numbers[::-1].repeat(2)
    assert np.array_equal(blocks[backwards].ids, ids[backwards])


def small(folder: Path) -> Path:
    write_packed(folder, [tokenized([[(1, True), (2, False)], [(0, True)] * 3])], vocabulary(30))
    return folder


def test_a_block_that_is_not_there_is_refused(tmp_path: Path) -> None:
    blocks = open_packed(small(tmp_path)).blocks(2)
    assert len(blocks) == 2 and len(blocks[np.empty(0, np.int64)].ids) == 0
    for wrong in (-1, 2):
        with pytest.raises(IndexError, match="of 2"):
            blocks[np.array([0, wrong])]
    with pytest.raises(ConfigError, match="expected 1 or more"):
        open_packed(tmp_path).blocks(0)


def test_without_words_each_token_starts_one_and_the_folder_says_so(tmp_path: Path) -> None:
    batch = tokenized([[(1, False), (2, False)]])
    info = write_packed(tmp_path, [batch, batch._replace(starts=None)], vocabulary(30))
    assert info.word_starts is None
    assert open_packed(tmp_path).documents.word_starts(1).all()


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def turned(folder: Path) -> None:
    np.array([0, 6, 5], "<i8").tofile(folder / OFFSETS_FILE)


@pytest.mark.parametrize(
    "damage",
    [
        cut(TOKENS_FILE), cut(OFFSETS_FILE), turned, cut(INFO_FILE), lambda folder: (folder / TOKENS_FILE).unlink(),
        lambda folder: (folder / INFO_FILE).unlink(), lambda folder: (folder / INFO_FILE).write_text("[]"),
        lambda folder: (folder / INFO_FILE).write_bytes(b"\xff\xfe"),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused_with_the_remedy(damage: Callable[[Path], None], tmp_path: Path) -> None:
    folder = small(tmp_path)
    (folder / INFO_FILE).write_text((folder / INFO_FILE).read_text().rstrip())
    damage(folder)
    with pytest.raises(ArtifactError, match=r"expected .* Delete the folder and run the packing again\."):
        open_packed(folder)


def test_what_was_not_written_to_its_end_is_never_read(tmp_path: Path) -> None:
    def broken() -> Iterator[Tokenized]:
        yield tokenized([[(1, True)]])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_packed(small(tmp_path), broken(), vocabulary(30))
    with pytest.raises(ArtifactError, match="written to their end"):
        open_packed(tmp_path)


def test_an_id_that_the_vocabulary_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="id 3: expected one below 3"):
        write_packed(tmp_path, [tokenized([[(3, True)]])], vocabulary(3))


@pytest.mark.parametrize("name", [TOKENS_FILE, OFFSETS_FILE])
def test_a_full_disk_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(StoreError, match=rf"{name} could not be written .*Free some space"):
        small(tmp_path)
