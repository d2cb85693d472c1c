"""A tokenizer.json is somebody else's: one over which the library panics ends nothing but what was asked of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from infra.errors import ArtifactError
from tasks.inference.exported import encode
from tasks.tokenizers.files import read_tokenizer
from tests.tasks.models.pretrained.tiny_model import write_model

Spec = dict[str, Any]


def spec() -> Spec:
    """A tokenizer.json that can be read and meets every text."""
    tokenizer = Tokenizer(models.WordPiece({"[PAD]": 0, "[UNK]": 1, "a": 2, "##a": 3}, unk_token="[UNK]"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(64)
    written: Spec = json.loads(tokenizer.to_str())
    return written


READ: dict[str, Spec] = {
    "charsmap": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    "merges": {
        "model": {"type": "BPE", "continuing_subword_prefix": "#####", "vocab": {"a": 0, "b": 1, "ab": 2},
                  "merges": ["a b"]}
    },
}  # fmt: skip
TEXT: dict[str, Spec] = {
    "backtracking": {
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated", "invert": False}
    },
    "chunks of nothing": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
    "no such token": {
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}],
                           "pair": [], "special_tokens": {}}
    },
    "no second text": {
        "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B", "type_id": 0}}],
                           "pair": [], "special_tokens": {}}
    },
    "no unknown token": {
        "model": {"type": "WordPiece", "unk_token": "[X]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {"a": 0}}
    },
}  # fmt: skip


@pytest.mark.parametrize("fault", READ)
def test_a_tokenizer_that_panics_when_it_is_read_is_named(tmp_path: Path, fault: str) -> None:
    model = write_model(tmp_path / "model")
    (model / "tokenizer.json").write_text(json.dumps(spec() | READ[fault]))
    with pytest.raises(ArtifactError, match=rf"{model} has no tokenizer that can be read"):
        read_tokenizer(model)


@pytest.mark.parametrize("fault", TEXT)
def test_a_tokenizer_that_panics_at_a_text_is_named(fault: str) -> None:
    tokenizer = Tokenizer.from_str(json.dumps(spec() | TEXT[fault]))
    with pytest.raises(ArtifactError, match=r"the tokenizer of .* fails at a text \("):
        encode(tokenizer, ["a" * 45 + "b"])
