"""A small corpus of code, and tokenizers learned from it, made once."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tasks.tokenizers.code.config import CodeTokenizerConfig, Words
from tasks.tokenizers.code.train import SETTINGS, train_code_tokenizer
from tasks.tokenizers.files import write_tokenizer
from tests.conftest import ROOT

SOURCES = [text for path in sorted((ROOT / "tasks" / "metrics").glob("*.py")) if (text := path.read_text())]
SMALL = CodeTokenizerConfig(vocabulary_size=600)


def learned(words: Words) -> Tokenizer:
    return train_code_tokenizer(SMALL.model_copy(update={"words": words}), [SOURCES])


@pytest.fixture(scope="session", params=["code", "gpt2"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return learned(request.param)


def write_learned(folder: Path) -> Path:
    folder.mkdir(parents=True)
    write_tokenizer(folder, learned("code"), SETTINGS)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_learned(tmp_path_factory.mktemp("code") / "tokenizer")
