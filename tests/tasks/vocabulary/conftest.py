"""The base model's tokenizer, read once."""

import pytest

from tasks.base_model.resolve import packaged_model
from tasks.tokenizer.files import read_tokenizer
from tasks.vocabulary.wordpiece import WordPiece


@pytest.fixture(scope="session")
def base() -> WordPiece:
    return WordPiece(read_tokenizer(packaged_model()))
