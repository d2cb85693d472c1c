"""By the words that are known a text has the very tokens that the tokenizer gives it, where a tokenizer allows it."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, normalizers, processors

from tasks.data.packing import known_words
from tasks.data.packing.known_words import IN_ASCII, KnownWords, in_pieces, words_of
from tasks.data.packing.tokens import open_tokenizer
from tasks.tokenizers.code.config import CodeTokenizerConfig
from tasks.tokenizers.code.train import PATTERNS, SETTINGS, train_code_tokenizer
from tasks.tokenizers.files import write_tokenizer
from tests.tasks.data.packing.tiny_tokenizers import byte_level

SOURCE = ["def read(self, path):\n    return self.read(path)\n\nif it's 12:\n        read(self.path)\n"] * 3
PIECE = st.sampled_from(["<|endoftext|>", "'re", "    ", "\n\n", "  \t", "def", "_x1", "\r\n", "."])
LINE = PIECE | st.sampled_from(["é", "猫", "\u00a0", "\u0085", "²", "x\n", ".\n", "\n"]) | st.text(max_size=4)
ASCII = st.lists(PIECE | st.text(st.characters(max_codepoint=127), max_size=6), max_size=10).map("".join)


def learned(words: str) -> Tokenizer:
    tokenizer = train_code_tokenizer(
        CodeTokenizerConfig(vocabulary_size=300, words=words),  # type: ignore[arg-type]
        [SOURCE],
    )
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.fixture(scope="module", params=["code", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return learned(request.param)


@pytest.fixture(scope="module")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("words")
    write_tokenizer(made, tokenizer, SETTINGS)
    return made


def found(tokenizer: Tokenizer) -> KnownWords:
    known = words_of(tokenizer)
    assert known is not None
    return known


def test_every_way_to_cut_words_of_code_is_known() -> None:
    assert IN_ASCII.keys() == set(PATTERNS.values())


@given(batches=st.lists(st.lists(ASCII, max_size=4), max_size=3))
def test_texts_have_the_tokens_that_the_tokenizer_gives_them(
    tokenizer: Tokenizer, batches: list[list[str]]
) -> None:
    known = found(tokenizer)
    for texts in batches:
        expected = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
        ids, lengths = known.tokens(texts)
        assert lengths.tolist() == list(map(len, expected))
        assert ids.tolist() == list(chain.from_iterable(expected))


@given(texts=st.lists(st.lists(LINE, max_size=8).map("".join), max_size=3))
def test_texts_beyond_ascii_have_the_same_tokens_in_pieces(folder: Path, texts: list[str]) -> None:
    opened = open_tokenizer(folder)
    opened.tokenizer.encode_special_tokens = True
    assert words_of(opened.tokenizer) is not None
    assert ["".join(in_pieces(text)) for text in texts] == texts
    expected = [encoding.ids for encoding in opened.tokenizer.encode_batch(texts)]
    for told in opened.batches(iter(texts), 10**6, words=False):
        assert told.lengths.tolist() == list(map(len, expected))
        assert told.ids.tolist() == list(chain.from_iterable(expected))


def test_of_a_file_with_a_foreign_word_the_other_lines_are_in_ascii() -> None:
    assert in_pieces("a\nb\n  # é.\nc\nd") == ["a\nb", "\n  # é.", "\nc\nd"]
    assert in_pieces("é\n\n \nc") == ["é\n\n \nc"]  # behind a blank or what is not ASCII nothing is cut


def test_words_are_forgotten_when_they_are_too_many(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_words, "MOST_CHARACTERS", 10)
    known = found(tokenizer)
    first, second = known.tokens(SOURCE), known.tokens(SOURCE)
    assert np.array_equal(first[0], second[0]) and not known._places


def test_a_tokenizer_that_looks_beyond_a_word_is_asked_itself() -> None:
    plain = learned("code")
    assert words_of(plain) is not None
    plain.encode_special_tokens = False  # the characters of special tokens would be ids
    assert words_of(plain) is None
    with_name = learned("code")
    with_name.add_tokens([AddedToken("self.path", special=False)])
    normalized, framed, dropping = learned("code"), learned("code"), learned("code")
    normalized.normalizer = normalizers.Lowercase()
    framed.post_processor = processors.TemplateProcessing(
        "<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    dropping.model.dropout = 0.1
    for other in (with_name, normalized, framed, dropping, byte_level().backend_tokenizer):
        other.encode_special_tokens = True
        assert words_of(other) is None
