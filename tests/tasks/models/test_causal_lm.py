"""A causal language model is read whole or refused, and its tokenizer takes text for text."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from infra.errors import ArtifactError
from tasks.formats.code_tokens import QUALITIES, SPECIAL_TOKENS
from tasks.models.causal_lm import ids_of_text, load_causal_lm, load_text_tokenizer, quality_ids
from tests.tasks.models.tiny_causal_lm import write_causal_lm
from tests.tasks.models.tiny_encoder import write_base


def test_a_model_answers_as_it_was_saved(tmp_path: Path) -> None:
    model = load_causal_lm(write_causal_lm(tmp_path))
    weights = load_file(tmp_path / "model.safetensors")
    assert not model.training and model.dtype == torch.float32
    assert torch.equal(model.lm_head.weight, weights["transformer.wte.weight"])


def test_a_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    write_causal_lm(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["transformer.h.1.mlp.c_fc.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(
        ArtifactError, match=r"lacks 1 weights of its own config.json, among them transformer.h.1"
    ):
        load_causal_lm(tmp_path)


def test_an_encoder_is_no_causal_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is a bert, which reads text from both sides"):
        load_causal_lm(write_base(tmp_path))


def test_code_of_others_is_never_run(tmp_path: Path) -> None:
    write_causal_lm(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["attn_implementation"] = "evil/kernel"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="asks for attn_implementation 'evil/kernel'"):
        load_causal_lm(tmp_path)


def test_special_tokens_in_a_text_are_letters(tmp_path: Path) -> None:
    tokenizer = load_text_tokenizer(write_causal_lm(tmp_path))
    text = "x = '<|endoftext|>' # <|quality_high|>"
    (ids,) = ids_of_text(tokenizer, [text])
    assert min(ids) >= len(SPECIAL_TOKENS) and tokenizer.decode(ids) == text
    assert quality_ids(tokenizer) == {quality: place for place, quality in enumerate(QUALITIES, 1)}


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="has no tokenizer that can be read"):
        load_text_tokenizer(tmp_path)
