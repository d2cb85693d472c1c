"""Tokens are those of transformers' fast tokenizer, word starts those of its word ids; texts are not kept."""

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from infra.errors import ArtifactError, DataError
from tasks.data.packing.tokens import TextTokenizer, open_tokenizer
from tasks.formats.packed_tokens import Tokenized
from tests.tasks.data.packing.tiny_tokenizers import KINDS, byte_level, saved, word_piece, wordless
from tests.tasks.models.tiny_encoder import VOCABULARY

Pair = tuple[PreTrainedTokenizerFast, TextTokenizer]
WORDS = st.sampled_from(
    [*VOCABULARY, "tickets", "[SEP][SEP]", "<mask><end>", "accountly", "İ", "e\u0301", "猫", " ", "\n"]
)
TEXT = st.lists(WORDS | st.text(max_size=3), max_size=12).map("".join) | st.lists(WORDS, max_size=9).map(
    " ".join
)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = saved(request.param(), tmp_path_factory.mktemp("tokenizer"))
    return PreTrainedTokenizerFast.from_pretrained(folder), open_tokenizer(folder)


def joined(batches: Iterator[Tokenized]) -> Tokenized:
    parts = list(batches)
    starts = None if any(part.starts is None for part in parts) else np.concatenate([p.starts for p in parts])
    return Tokenized(
        np.concatenate([p.ids for p in parts]), starts, np.concatenate([p.lengths for p in parts])
    )


def expected(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> Tokenized:
    """The plain way: token by token."""
    found = tokenizer(texts)
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    ids, starts, lengths = [], [], []
    for number in range(len(texts)):
        row, words = found["input_ids"][number], found.word_ids(number)
        if not set(row) - special:
            row, words = [], []
        ids += row
        starts += [i == 0 or word is None or word != words[i - 1] for i, word in enumerate(words)]
        lengths.append(len(row))
    return Tokenized(np.array(ids, np.int64), np.array(starts, bool), np.array(lengths, np.int64))


@settings(max_examples=40)
@given(texts=st.lists(TEXT, min_size=1, max_size=6), characters=st.sampled_from([1, 20, 10_000]))
def test_ids_and_word_starts_are_transformers_own(pair: Pair, texts: list[str], characters: int) -> None:
    theirs, ours = pair
    found, wanted = joined(ours.batches(texts, characters, words=True)), expected(theirs, texts)
    for ours_, theirs_ in zip(found, wanted, strict=True):
        assert np.array_equal(ours_, theirs_)
    quick = joined(ours.batches(texts, characters, words=False))
    assert quick.starts is None and np.array_equal(quick.ids, found.ids)
    assert np.array_equal(quick.lengths, found.lengths)


def test_what_a_reader_must_know_is_found_beside_the_tokenizer(tmp_path: Path) -> None:
    found = open_tokenizer(saved(word_piece(), tmp_path / "bert")).vocabulary
    assert (found.size, found.special, found.mask, found.pad) == (len(VOCABULARY), (0, 1, 2, 3, 4), 4, 0)
    found = open_tokenizer(saved(wordless(), tmp_path / "llama")).vocabulary
    assert (found.mask, found.pad, found.special) == (None, 1, (0, 1, 2, 3))
    for path in (tmp_path / "llama").glob("*_config.json"):
        path.unlink()
    assert open_tokenizer(tmp_path / "llama").vocabulary.pad is None


def test_padding_and_truncation_of_the_file_are_off(tmp_path: Path) -> None:
    tokenizer = word_piece()
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    (found,) = open_tokenizer(tmp_path).batches(["rain " * 20, "sun"], 10_000, words=True)
    assert list(found.lengths) == [22, 3]


def test_special_tokens_alone_are_no_document(tmp_path: Path) -> None:
    ours = open_tokenizer(saved(word_piece(), tmp_path))
    (found,) = ours.batches(["", "rain", " \n", "[MASK] [SEP]", "猫 猫", "sun"], 10_000, words=True)
    assert list(found.lengths) == [0, 3, 0, 0, 0, 3]
    assert [VOCABULARY[i] for i in found.ids] == ["[CLS]", "rain", "[SEP]", "[CLS]", "sun", "[SEP]"]
    assert list(ours.batches([], 10_000, words=True)) == []


@pytest.mark.parametrize("characters", [1, 10_000])
def test_half_a_character_is_named_by_the_number_of_its_text(characters: int, tmp_path: Path) -> None:
    ours = open_tokenizer(saved(byte_level(), tmp_path))
    with pytest.raises(DataError, match=r"text 3 has half of a character .* Correct the row\."):
        list(ours.batches(["one", "two", "a\ud800b"], characters, words=True))


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff", b'{"model": {"type": "WordPiece"}}'])
def test_a_tokenizer_that_cannot_be_read_is_refused_with_the_remedy(
    content: bytes | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"expected tokenizer\.json.*save_pretrained"):
        open_tokenizer(tmp_path)


def test_a_tokenizer_without_tokens_is_refused(tmp_path: Path) -> None:
    byte_level().backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    asked = json.loads((tmp_path / "tokenizer.json").read_text())
    asked["model"] |= {"vocab": {}, "merges": []}
    (tmp_path / "tokenizer.json").write_text(json.dumps(asked | {"added_tokens": []}))
    with pytest.raises(ArtifactError, match="has no tokens"):
        open_tokenizer(tmp_path)


def test_of_a_stream_one_batch_is_in_memory(tmp_path: Path) -> None:
    class Text(str):
        """Other than str itself, it can be watched."""

    alive: weakref.WeakSet[Text] = weakref.WeakSet()
    most = 0

    def stream() -> Iterator[str]:
        nonlocal most
        for number in range(500):
            text = Text(f"rain {number} rain")
            alive.add(text)
            most = max(most, len(alive))
            yield text

    ours = open_tokenizer(saved(word_piece(), tmp_path))
    tokens = sum(len(batch.ids) for batch in ours.batches(stream(), 200, words=True))
    gc.collect()
    assert tokens == 500 * 5 and most < 40 and not alive
