"""Heads cut and embeddings factorised: the same answers as the whole model, in memory, on disk and in transformers."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, DistilBertConfig, ElectraConfig, MPNetConfig, RobertaConfig

from infra.errors import ArtifactError, ConfigError
from tasks.formats.checkpoint import load_info
from tasks.models.architecture import architecture_of
from tasks.models.batching import pad
from tasks.models.embedding import FactorisedEmbedding, factorise, factors, word_table
from tasks.models.heads import keep_heads, kept_heads
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.models.sliced import whole_weights
from tests.tasks.models.tiny_encoder import tiny_config, write_teacher

IDS, MASK = pad([[2, 9, 10, 21, 3], [2, 9, 3]], 0)
SIZES = {"vocab_size": 40, "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4}
KINDS = {
    "bert": tiny_config(num_hidden_layers=2),
    "roberta": RobertaConfig(**SIZES, intermediate_size=64, max_position_embeddings=42, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=32, intermediate_size=64, max_position_embeddings=42),
    "distilbert": DistilBertConfig(vocab_size=40, dim=32, n_layers=2, n_heads=4, hidden_dim=64),
}


def model_of(config):
    torch.manual_seed(0)
    return SentenceClassifier.from_config(copy.deepcopy(config), 4).eval()  # cutting writes into it


def logits(model):
    with torch.inference_mode():
        return model(IDS, MASK).logits


def mask_heads(model, kept):
    """Zero what the heads that are not kept give, in the whole model."""
    names = architecture_of(model.body)
    size = names.head_size(model.body)
    with torch.no_grad():
        for layer, heads in zip(names.layers_of(model.body), kept, strict=True):
            mix = names.matrix(layer, names.attention_output)
            for head in range(mix.in_features // size):
                if head not in heads:
                    mix.weight[:, head * size : (head + 1) * size] = 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_heads_cut_answers_as_the_whole_one_with_them_masked(kind):
    kept = [[0, 2, 3], [1]]
    cut, masked = model_of(KINDS[kind]), model_of(KINDS[kind])
    keep_heads(cut.body, kept)
    mask_heads(masked, kept)
    torch.testing.assert_close(logits(cut), logits(masked), atol=1e-5, rtol=0)
    names = architecture_of(cut.body)
    shapes = [tuple(names.matrix(layer, names.query).weight.shape) for layer in names.layers_of(cut.body)]
    assert shapes == [(24, 32), (8, 32)]
    assert not torch.allclose(logits(cut), logits(model_of(KINDS[kind])))


def test_heads_can_be_cut_twice_and_keep_their_numbers():
    twice, once = model_of(KINDS["bert"]), model_of(KINDS["bert"])
    keep_heads(twice.body, [[0, 2, 3], [1, 3]])
    keep_heads(twice.body, [[3, 2], [3]])
    keep_heads(once.body, [[2, 3], [3]])
    assert torch.equal(logits(twice), logits(once))
    assert kept_heads(twice.body) == ((2, 3), (3,))


def test_keeping_all_heads_changes_nothing():
    model = model_of(KINDS["bert"])
    keep_heads(model.body, kept_heads(model.body))
    assert not hasattr(model.body.config, "kept_heads")


@pytest.mark.parametrize(
    "kept", [[[0], []], [[0]], [[0], [4]]], ids=["none", "a layer short", "no such head"]
)
def test_heads_that_are_not_there_are_refused(kept):
    with pytest.raises(ConfigError, match="Keep at least one"):
        keep_heads(model_of(KINDS["bert"]).body, kept)


def test_heads_with_a_position_bias_are_refused():
    model = model_of(MPNetConfig(**SIZES, intermediate_size=64))
    with pytest.raises(ConfigError, match="position bias"):
        keep_heads(model.body, [[0], [0]])


@settings(max_examples=25)
@given(st.integers(1, 7), st.integers(0, 10**6))
def test_factors_are_the_truncated_svd(rank, seed):
    weight = np.random.default_rng(seed).normal(size=(20, 8))
    left, values, right = np.linalg.svd(weight, full_matrices=False)
    best = (left[:, :rank] * values[:rank]) @ right[:rank]
    rows, basis = factors(torch.tensor(weight), rank)
    assert (rows.shape, basis.shape) == ((20, rank), (rank, 8))
    np.testing.assert_allclose((rows @ basis).numpy(), best, atol=1e-8)
    np.testing.assert_allclose((basis @ basis.T).numpy(), np.eye(rank), atol=1e-10)


def test_counted_rows_are_kept_as_if_they_stood_there_so_often():
    weight = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([1, 4, 1, 2, 1, 7])
    rows, basis = factors(weight, 2, times)
    repeated, same = factors(weight.repeat_interleave(times, dim=0), 2)
    torch.testing.assert_close(rows @ basis, (repeated @ same)[times.cumsum(0) - 1])


def test_a_factorised_embedding_gives_the_rows_of_its_product_and_both_factors_learn():
    model = model_of(KINDS["bert"])
    factorise(model.body, 8)
    words = model.body.get_input_embeddings()
    assert isinstance(words, FactorisedEmbedding)
    torch.testing.assert_close(words(IDS), words.weight[IDS])
    model(IDS, MASK).logits.sum().backward()
    assert words.rows.weight.grad.abs().sum() > 0
    assert words.basis.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("rank", [0, 32, 400])
def test_a_rank_that_saves_nothing_is_refused(rank):
    with pytest.raises(ConfigError, match="expected 1 to 31"):
        factorise(model_of(KINDS["bert"]).body, rank)


@pytest.fixture
def narrowed(tmp_path):
    """A checkpoint of a model with heads cut and embeddings factorised, and the model."""
    folder = write_teacher(tmp_path / "whole")
    model, tokenizer = SentenceClassifier.load(folder), load_tokenizer(folder)
    keep_heads(model.body, [[0, 1], [2], [0, 3]])
    factorise(model.body, 8)
    model.save(tmp_path / "narrow", tokenizer, load_info(folder))
    return tmp_path / "narrow", model


def test_a_narrow_checkpoint_loads_as_small_as_it_was_saved(narrowed):
    folder, model = narrowed
    loaded = SentenceClassifier.load(folder)
    torch.testing.assert_close(logits(loaded), logits(model), atol=1e-5, rtol=0)
    assert [value.shape for value in loaded.parameters()] == [value.shape for value in model.parameters()]
    assert kept_heads(loaded.body) == ((0, 1), (2,), (0, 3))
    torch.testing.assert_close(word_table(loaded.body), word_table(model.body))


def test_a_narrow_checkpoint_is_an_ordinary_model_to_transformers(narrowed):
    folder, model = narrowed
    body = AutoModel.from_pretrained(folder, trust_remote_code=False, attn_implementation="eager").eval()
    assert body.embeddings.word_embeddings.weight.shape[1] == 32
    assert body.encoder.layer[1].attention.self.query.weight.shape == (32, 32)
    with torch.inference_mode():
        theirs = body(input_ids=IDS, attention_mask=MASK).last_hidden_state
        ours = model.body(input_ids=IDS, attention_mask=MASK).last_hidden_state
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=0)


def test_whole_weights_of_an_ordinary_model_are_its_own():
    body = model_of(KINDS["bert"]).body
    weights = whole_weights(body)
    assert weights.keys() == body.state_dict().keys()
    assert all(torch.equal(value, body.state_dict()[name]) for name, value in weights.items())


@pytest.mark.parametrize(
    "wrong",
    [{"kept_heads": [[9], [0], [0]]}, {"kept_heads": 3}, {"embedding_rank": 99}, {"embedding_rank": "x"}],
)
def test_a_configuration_that_the_model_cannot_have_is_refused(tmp_path, wrong):
    folder = write_teacher(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | wrong))
    with pytest.raises(ArtifactError, match="make it again"):
        SentenceClassifier.load(folder)
