"""A new tokenizer: whole, without unknown text, and the same bytes in every process."""

import hashlib
import subprocess
import sys

import pytest

from infra.errors import ConfigError, DataError
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.train_new import train_tokenizer
from tests.conftest import ROOT
from tests.tasks.tokenizers.conftest import TRAIN

BPE, WORDPIECE = TokenizerConfig(mode="train"), TokenizerConfig(mode="train", algorithm="wordpiece")
DIGEST = """
import hashlib, sys
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.train_new import train_tokenizer
from tests.tasks.tokenizers.conftest import TRAIN
config = TokenizerConfig(mode="train", algorithm=sys.argv[1])
print(hashlib.sha256(train_tokenizer(config, 400, lambda: [TRAIN]).to_str().encode()).hexdigest())
"""


def test_bytes_leave_nothing_unknown_and_give_the_text_back():
    tokenizer = train_tokenizer(BPE, 300, lambda: [TRAIN])
    text = "naïve 東京 🙂 \x01 щ"
    encoded = tokenizer.encode(text)
    assert "[UNK]" not in encoded.tokens
    assert tokenizer.decode(encoded.ids).strip() == text


def test_wordpiece_knows_every_seen_character_at_any_place():
    tokenizer = train_tokenizer(WORDPIECE, 200, lambda: [["banana"]])
    assert "[UNK]" not in tokenizer.encode("nab abn bbb").tokens
    assert "[UNK]" in tokenizer.encode("щ").tokens


@pytest.mark.parametrize("config", [BPE, WORDPIECE])
def test_special_tokens_have_the_first_ids_and_stand_around_a_text(config):
    tokenizer = train_tokenizer(config, 400, lambda: [TRAIN])
    assert [tokenizer.id_to_token(i) for i in range(5)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokenizer.get_added_tokens_decoder()) == 5
    ids = tokenizer.encode("pay").ids
    assert ids[0] == 2 and ids[-1] == 3
    assert tokenizer.get_vocab_size() <= 400


def test_case_is_kept_when_asked():
    upper = train_tokenizer(WORDPIECE.model_copy(update={"lowercase": False}), 200, lambda: [["Pay pay Pay"]])
    assert "P" in upper.get_vocab()
    assert "P" not in train_tokenizer(WORDPIECE, 200, lambda: [["Pay pay Pay"]]).get_vocab()


@pytest.mark.parametrize(("config", "least"), [(BPE, 261), (WORDPIECE, 5 + 2 + 2)])
def test_too_small_a_size_names_the_least_and_that_one_works(config, least):
    with pytest.raises(ConfigError, match=rf"expected at least {least} "):
        train_tokenizer(config, least - 1, lambda: [["abba"]])
    assert train_tokenizer(config, least, lambda: [["abba"]]).get_vocab_size() == least


def test_no_text_is_an_error():
    with pytest.raises(DataError, match="no words"):
        train_tokenizer(WORDPIECE, 100, lambda: [["", "  "]])


@pytest.mark.parametrize("config", [BPE, WORDPIECE])
def test_another_process_trains_the_same_bytes(config):
    here = train_tokenizer(config, 400, lambda: [TRAIN]).to_str()
    command = [sys.executable, "-c", DIGEST, config.algorithm]
    there = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(here.encode()).hexdigest()
