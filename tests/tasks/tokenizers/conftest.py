"""The base model's tokenizer and a small data set, made once."""

from pathlib import Path

import pytest

from tasks.models.pretrained.resolve import packaged_model
from tasks.tokenizers.files import read_tokenizer
from tasks.tokenizers.wordpiece import WordPiece
from tests.tasks.tokenizers.tables import write_dataset

TRAIN = [
    "what is the pin number for my account",
    "transfer forty dollars to my savings account",
    "how many calories are in a chocolate croissant",
    "call the café in Zürich – I'll be late (again)!",
] * 25
HELD_OUT = ["transfer my savings to another bank", "is there a hypoallergenic croissant?"]


@pytest.fixture(scope="session")
def base_folder() -> Path:
    return packaged_model()


@pytest.fixture(scope="session")
def base(base_folder: Path) -> WordPiece:
    return WordPiece(read_tokenizer(base_folder))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tables") / "few", TRAIN, HELD_OUT, shards=2)
