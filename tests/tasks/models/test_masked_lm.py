"""Masked language models: transformers' own logits where they are asked, and a head for an encoder that has none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForMaskedLM,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    GPT2Model,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
    pipeline,
)

from infra.errors import ArtifactError, ConfigError, StoreError
from tasks.models.lm_heads import CHAINS, has_head, links_of, log_unigrams
from tasks.models.loading import load_body, quiet_transformers
from tasks.models.masked_lm import MaskedLanguageModel
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config, tiny_tokenizer, write_base, write_teacher

SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
CONFIGS: dict[str, PretrainedConfig] = {
    "albert": AlbertConfig(**SIZES, embedding_size=16),
    "bert": tiny_config(),
    "deberta-v2": DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "distilbert": DistilBertConfig(
        vocab_size=32, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64
    ),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "modernbert": ModernBertConfig(**SIZES, pad_token_id=0),
    "mpnet": MPNetConfig(**SIZES, pad_token_id=1),
    "roberta": RobertaConfig(**SIZES, pad_token_id=1),
    "xlm-roberta": XLMRobertaConfig(**SIZES, pad_token_id=1),
}
COUNTS = np.arange(len(VOCABULARY), dtype=np.int64) ** 2


def model_of(kind: str) -> MaskedLanguageModel:
    torch.manual_seed(0)
    return MaskedLanguageModel.from_config(CONFIGS[kind]).eval()


def rows_of(model: MaskedLanguageModel) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask, and asked positions: three rows of which one is padded, and one is asked nothing."""
    random = np.random.default_rng(0)
    ids = torch.from_numpy(random.integers(5, len(VOCABULARY), size=(3, 12)))
    mask = torch.ones_like(ids)
    ids[1, 8:], mask[1, 8:] = model.model.config.pad_token_id, 0
    asked = torch.from_numpy(random.random((3, 12)) < 0.4) & (mask == 1)
    asked[2] = False
    return ids, mask, asked


def same_weights(one: MaskedLanguageModel, other: MaskedLanguageModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", CONFIGS)
def test_logits_at_asked_positions_are_transformers_own(kind: str) -> None:
    model = model_of(kind)
    ids, mask, asked = rows_of(model)
    with torch.no_grad():
        plain = model.model(ids, attention_mask=mask, output_hidden_states=True)
        found = model(ids, mask, asked, hidden=True)
        by_number = model(ids, mask, asked.flatten().nonzero().squeeze(1))
        unpadded = model(ids[:1], None, asked[:1]).logits
    torch.testing.assert_close(found.logits, plain.logits[asked], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(by_number.logits, found.logits)
    torch.testing.assert_close(unpadded, plain.logits[:1][asked[:1]], rtol=1e-5, atol=1e-5)
    assert len(found.hidden) == len(plain.hidden_states) == model.body.config.num_hidden_layers + 1
    torch.testing.assert_close(found.hidden[-1], plain.hidden_states[-1])
    assert by_number.hidden == ()


def test_the_head_reads_few_shapes_and_what_fills_them_up_teaches_nothing() -> None:
    model = model_of("bert")
    ids, mask, _ = rows_of(model)
    read: list[int] = []
    links_of(model.model)[0].register_forward_hook(lambda link, given, made: read.append(len(made)))
    for asked in (0, 1, 7, 30):
        model.zero_grad()
        at = torch.arange(36)[:asked]
        found = model(ids, mask, at).logits
        assert len(found) == asked
        found.square().sum().backward()
        own = [value.grad.clone() for value in model.parameters() if value.grad is not None]
        model.zero_grad()
        plain = model.model(ids, attention_mask=mask).logits.flatten(0, 1)[at]
        plain.square().sum().backward()
        theirs = [value.grad for value in model.parameters() if value.grad is not None]
        torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-6)
    # 64 positions or none; transformers' own head, through the same link, reads the rows as they stand.
    assert set(read) == {0, 64, 3}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_model_comes_back_with_its_head_and_an_encoder_gets_one(tmp_path: Path, kind: str) -> None:
    model = model_of(kind)
    model.save(tmp_path / "whole", tiny_tokenizer())
    assert has_head(tmp_path / "whole")
    assert same_weights(MaskedLanguageModel.load(tmp_path / "whole"), model)
    with quiet_transformers():
        model.body.save_pretrained(tmp_path / "encoder")
    assert not has_head(tmp_path / "encoder")
    new = MaskedLanguageModel.load(tmp_path / "encoder", COUNTS)
    assert all(
        torch.equal(value, model.body.state_dict()[name]) for name, value in new.body.state_dict().items()
    )
    decoder = new.model.get_output_embeddings()
    assert decoder.weight is new.body.get_input_embeddings().weight
    torch.testing.assert_close(decoder.bias.detach(), log_unigrams(COUNTS))
    new.save(tmp_path / "new", tiny_tokenizer())
    assert same_weights(MaskedLanguageModel.load(tmp_path / "new"), new)


def test_every_kind_with_a_known_head_is_tried_here() -> None:
    assert {*CHAINS} - {"camembert"} == {*CONFIGS}  # RoBERTa by another name


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_transformers_open_a_new_head_with_its_bias_and_its_tied_decoder(tmp_path: Path, kind: str) -> None:
    with quiet_transformers():
        model_of(kind).body.save_pretrained(tmp_path / "encoder")
    new = MaskedLanguageModel.load(tmp_path / "encoder", COUNTS)
    with torch.no_grad():  # as training does
        for value in new.parameters():
            value.add_(0.01)
    new.save(tmp_path / "new", tiny_tokenizer())
    with quiet_transformers():
        opened, told = AutoModelForMaskedLM.from_pretrained(tmp_path / "new", output_loading_info=True)
        found = pipeline("fill-mask", model=str(tmp_path / "new"))("what is my [MASK]", top_k=32)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert opened.get_output_embeddings().weight is opened.get_input_embeddings().weight
    ids = torch.tensor([tiny_tokenizer()("what is my [MASK]")["input_ids"]])
    with torch.no_grad():
        expected = new(ids, None, ids == tiny_tokenizer().mask_token_id).logits[0].softmax(0)
    assert {fill["token"]: fill["score"] for fill in found} == pytest.approx(
        dict(enumerate(expected.tolist())), rel=1e-4
    )


def test_a_new_head_begins_the_same_each_time_and_with_what_is_frequent(tmp_path: Path) -> None:
    write_base(tmp_path)  # with a pooler, as sentence encoders have
    torch.manual_seed(1)
    first = MaskedLanguageModel.load(tmp_path, COUNTS)
    torch.manual_seed(2)
    assert same_weights(first, MaskedLanguageModel.load(tmp_path, COUNTS))
    assert not any("pooler" in name for name in first.state_dict())
    ids = torch.tensor([[2, 7, 4, 9, 3]])
    logits = first(ids, None, ids == 4).logits[0]
    assert torch.corrcoef(torch.stack([logits, log_unigrams(COUNTS)]))[0, 1] > 0.9


def test_an_encoder_among_the_files_of_sentence_transformers_gets_a_head(tmp_path: Path) -> None:
    write_teacher(tmp_path)
    new = MaskedLanguageModel.load(tmp_path, COUNTS)
    torch.testing.assert_close(new.body.state_dict(), load_body(tmp_path).state_dict())


def test_a_new_heads_decoder_is_tied_whatever_the_encoder_says(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    (tmp_path / "base" / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    MaskedLanguageModel.load(tmp_path / "base", COUNTS).save(tmp_path / "new", tiny_tokenizer())
    again = MaskedLanguageModel.load(tmp_path / "new").model
    assert again.get_output_embeddings().weight is again.get_input_embeddings().weight


def test_weights_named_as_the_first_berts_were_are_read_with_their_head(tmp_path: Path) -> None:
    """bert-base-uncased: gamma and beta, one bias, a pooler, and a head for pairs of sentences."""
    model = model_of("bert")
    model.save(tmp_path, tiny_tokenizer())
    path = tmp_path / "model.safetensors"
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(path).items()
        if name != "cls.predictions.decoder.bias"
    }
    more = {
        "bert.pooler.dense.weight": torch.zeros(32, 32),
        "cls.seq_relationship.weight": torch.zeros(2, 32),
    }
    save_file(old | more, path, metadata={"format": "pt"})
    assert has_head(tmp_path)
    assert same_weights(MaskedLanguageModel.load(tmp_path), model)


def test_counts_of_fewer_tokens_than_the_model_has_are_filled_up_and_more_are_refused(tmp_path: Path) -> None:
    """An embedding table is often rounded up."""
    write_base(tmp_path)
    bias = MaskedLanguageModel.load(tmp_path, COUNTS[:20]).model.get_output_embeddings().bias.detach()
    assert bias.exp().sum().item() == pytest.approx(1.0, rel=1e-5)
    assert (bias[20:] == bias.min()).all()
    with pytest.raises(ConfigError, match="its own tokenizer"):
        MaskedLanguageModel.load(tmp_path, np.ones(len(VOCABULARY) + 1, dtype=np.int64))


def test_weights_in_several_files_are_known_by_their_index(tmp_path: Path) -> None:
    with quiet_transformers():
        model_of("bert").model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len([*tmp_path.glob("model-*.safetensors")]) > 1
    assert has_head(tmp_path)


def test_an_encoder_without_counts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without a masked-LM head"):
        MaskedLanguageModel.load(write_base(tmp_path))


def test_a_kind_without_a_known_head_is_refused_and_the_others_named(tmp_path: Path) -> None:
    with quiet_transformers():
        GPT2Model(GPT2Config(vocab_size=32, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"'gpt2' has no masked-LM head .* albert, bert"):
        MaskedLanguageModel.load(tmp_path, COUNTS)
    with pytest.raises(ConfigError, match="gpt2"):
        MaskedLanguageModel.from_config(GPT2Config())


def test_a_narrowed_encoder_is_refused(tmp_path: Path) -> None:
    write_base(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"embedding_rank": 8}))
    with pytest.raises(ConfigError, match="expected a whole one"):
        MaskedLanguageModel.load(tmp_path, COUNTS)


def cut_weights(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def without_weights(path: Path) -> None:
    path.unlink()


def without_a_layer(path: Path) -> None:
    save_file({name: value for name, value in load_file(path).items() if "layer.1" not in name}, path)


def without_part_of_the_head(path: Path) -> None:
    save_file({name: value for name, value in load_file(path).items() if "transform.dense" not in name}, path)


@pytest.mark.parametrize("damage", [cut_weights, without_weights, without_a_layer, without_part_of_the_head])
def test_damaged_weights_are_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    model_of("bert").save(tmp_path, tiny_tokenizer())
    damage(tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match="make or fetch it again"):
        MaskedLanguageModel.load(tmp_path, COUNTS)


@pytest.mark.parametrize(("kind", "most"), [("bert", 64), ("roberta", 62)])
def test_rows_longer_than_the_model_can_read_are_refused(kind: str, most: int) -> None:
    model = model_of(kind)
    ids = torch.full((1, most + 1), 7)
    assert model.max_length == most
    assert model(ids[:, :most], None, ids[:, :most] == 7).logits.shape == (most, len(VOCABULARY))
    with pytest.raises(ConfigError, match=f"at most {most}"):
        model(ids, None, ids == 7)


def test_a_disk_that_does_not_take_the_model_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    with pytest.raises(StoreError, match="Free some space"):
        model_of("bert").save(tmp_path / "file", tiny_tokenizer())


def test_the_body_of_a_saved_model_is_an_encoder_as_any_other(tmp_path: Path) -> None:
    """What fine-tuning and probes begin from."""
    model = model_of("bert")
    model.save(tmp_path, tiny_tokenizer())
    body = load_body(tmp_path)
    with quiet_transformers():
        other = AutoModel.from_pretrained(tmp_path)
    for found in (body, other):
        wanted = model.body.state_dict()
        assert all(torch.equal(found.state_dict()[name], wanted[name]) for name in wanted)
