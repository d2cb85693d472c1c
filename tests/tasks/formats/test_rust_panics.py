"""Panics of Rust become errors; everything else stays what it is."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from infra.errors import ArtifactError
from tasks.formats.rust_panics import RustPanic, panics_caught, tokenizing


def panicking() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    spec = json.loads(tokenizer.to_str()) | {"pre_tokenizer": {"type": "FixedLength", "length": 0}}
    return Tokenizer.from_str(json.dumps(spec))


def test_a_panic_is_an_exception_with_its_words() -> None:
    with pytest.raises(RustPanic, match="chunk size must be non-zero"), panics_caught():
        panicking().encode("a")


def test_a_tokenizer_that_panics_is_named_with_what_it_said() -> None:
    with (
        pytest.raises(
            ArtifactError, match=r"the tokenizer of org/model fails at a text \(RustPanic: chunk size"
        ),
        tokenizing("org/model"),
    ):
        panicking().encode_batch(["a", "b"])


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), RuntimeError("x"), SystemExit(3)])
def test_every_other_error_passes_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, tokenizing("org/model"):
        raise error
    assert raised.value is error
