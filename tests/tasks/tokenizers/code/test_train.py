"""A tokenizer of code: any text comes back, special tokens are ids and never text, the same bytes in every process."""

import hashlib
import logging
import logging.handlers
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from infra.errors import ArtifactError
from tasks.formats.code_tokens import END_OF_TEXT, SPECIAL_TOKENS
from tasks.tokenizers.code.config import CodeTokenizerConfig
from tasks.tokenizers.code.train import PATTERNS, train_code_tokenizer, train_on_corpus
from tests.conftest import ROOT
from tests.tasks.tokenizers.code.conftest import SMALL, SOURCES, learned
from tests.tasks.tokenizers.tables import write_dataset

DIGEST = """
import hashlib
from tests.tasks.tokenizers.code.conftest import learned
print(hashlib.sha256(learned("code").to_str().encode()).hexdigest())
"""
PIECES = st.sampled_from(
    [*SPECIAL_TOKENS, "<|", "|>", " ", "\n", "\r\n", "\t", "    ", "ä", "🙂", "\u0301", "x1", "é"]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(st.characters(exclude_categories=["Cs"])))).map("".join)


@given(TEXTS)
def test_any_text_comes_back_and_holds_no_special_token(text: str) -> None:
    for tokenizer in READERS:
        ids = tokenizer.encode(text).ids
        assert not set(ids) & set(range(len(SPECIAL_TOKENS)))
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        assert tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids == ids


def reader(words: str) -> Tokenizer:
    """As packing opens one."""
    tokenizer = Tokenizer.from_str(learned(words).to_str())  # type: ignore[arg-type]
    tokenizer.encode_special_tokens = True
    return tokenizer


READERS = [reader(words) for words in PATTERNS]


def test_special_tokens_have_the_first_ids_in_their_order(tokenizer: Tokenizer) -> None:
    assert [tokenizer.id_to_token(i) for i in range(len(SPECIAL_TOKENS))] == list(SPECIAL_TOKENS)
    assert tokenizer.get_vocab_size() == SMALL.vocabulary_size
    assert tokenizer.normalizer is None and tokenizer.post_processor is None


def test_a_text_full_of_special_tokens_teaches_no_token_that_looks_like_one() -> None:
    made = train_code_tokenizer(SMALL, [[f"x{token}y\n" * 50 for token in SPECIAL_TOKENS]])
    made.encode_special_tokens = True
    assert not set(made.encode("".join(SPECIAL_TOKENS)).ids) & set(range(len(SPECIAL_TOKENS)))


def test_a_digit_is_a_token_and_a_mark_goes_with_its_word() -> None:
    made = READERS[0]
    words = [text for text, _ in made.pre_tokenizer.pre_tokenize_str("self.size = rows[12]")]
    assert words == ["self", ".size", "Ġ=", "Ġrows", "[", "1", "2", "]"]


def test_an_indentation_is_one_word_and_the_keyword_behind_it_the_same_as_in_a_line(
    tokenizer: Tokenizer,
) -> None:
    cut = [text for text, _ in tokenizer.pre_tokenizer.pre_tokenize_str("if x:\n        return x\n")]
    assert cut == ["if", "Ġx", ":", "ĊĠĠĠĠĠĠĠ", "Ġreturn", "Ġx", "Ċ"]


def test_transformers_opens_the_folder(folder: Path) -> None:
    opened = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    assert (opened.bos_token, opened.eos_token, opened.unk_token) == (END_OF_TEXT,) * 3
    assert opened.eos_token_id == 0 and opened.clean_up_tokenization_spaces is False
    text = "def f(x) :\n    return x , 'ü 🙂' # isn 't\n"
    ids = opened(text)["input_ids"]
    assert opened.decode(ids) == text
    assert ids == Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids


def test_another_process_learns_the_same_bytes() -> None:
    command = [sys.executable, "-c", DIGEST]
    there = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(learned("code").to_str().encode()).hexdigest()


def test_a_smaller_size_has_the_first_tokens_of_a_larger_one() -> None:
    smaller = train_code_tokenizer(SMALL.model_copy(update={"vocabulary_size": 400}), [SOURCES])
    larger = learned("code").get_vocab()
    assert {token: larger[token] for token in smaller.get_vocab()} == smaller.get_vocab()


def test_too_few_pairs_are_said() -> None:
    # Asked of the logger itself: Prefect, where an earlier test of the process has run a flow, has the root's handlers.
    heard, logger = logging.handlers.BufferingHandler(10), logging.getLogger(train_code_tokenizer.__module__)
    logger.addHandler(heard)
    try:
        made = train_code_tokenizer(SMALL, [["ab ab"]])
    finally:
        logger.removeHandler(heard)
    assert made.get_vocab_size() < 270 and "not 600" in heard.buffer[0].getMessage()


def test_the_training_split_is_learned_from(tmp_path: Path) -> None:
    corpus = write_dataset(tmp_path / "corpus", SOURCES, ["zzzz zzzz " * 99], shards=2)
    output = tmp_path / "made"
    output.mkdir()
    figures = train_on_corpus(SMALL, corpus, output)
    assert figures == {
        "vocabulary_size": 600,
        "texts": len(SOURCES),
        "bytes": sum(len(text.encode()) for text in SOURCES),
    }
    assert (output / "tokenizer.json").read_text() and "zzzz" not in (output / "tokenizer.json").read_text()
    with pytest.raises(ArtifactError, match="train"):
        train_on_corpus(CodeTokenizerConfig(), tmp_path, output)
