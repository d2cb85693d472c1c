"""A GPT-2 of ours is transformers' own once it lies on the disk; what is none is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BertLMHeadModel, GPT2LMHeadModel, pipeline

from infra.errors import ArtifactError, ConfigError, StoreError
from infra.files import folder_digest
from tasks.models.gpt.config import GptConfig
from tasks.models.gpt.fresh import fresh_gpt
from tasks.models.gpt.model import Gpt
from tasks.models.loading import load_tokenizer, quiet_transformers
from tests.tasks.models.gpt.tiny import CONTEXT, random_ids, tiny_gpt
from tests.tasks.models.tiny_causal_lm import tiny_code_tokenizer
from tests.tasks.models.tiny_encoder import tiny_config

ASKED = GptConfig(layers=1, width=16, heads=2, context=32)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_code_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def fresh(tokenizer: Path, tmp_path: Path) -> Path:
    fresh_gpt(ASKED, tokenizer, tmp_path / "fresh")
    return tmp_path / "fresh"


def test_plain_transformers_opens_it_and_writes_with_it(fresh: Path) -> None:
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(fresh)
        assert isinstance(model, GPT2LMHeadModel) and model.config.tie_word_embeddings
        assert AutoTokenizer.from_pretrained(fresh).model_max_length == ASKED.shape.context
        write = pipeline("text-generation", model=str(fresh))
        (written,) = write("def f", max_new_tokens=4, do_sample=False)
    assert written["generated_text"].startswith("def f")
    assert model.config.vocab_size == len(tiny_code_tokenizer()) and model.config.eos_token_id == 0


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    model, ids = tiny_gpt(), random_ids(2, CONTEXT)
    model.save(tmp_path / "model", tiny_code_tokenizer())
    again = Gpt.load(tmp_path / "model")
    assert not again.training and again.context == CONTEXT
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        assert torch.equal(again(ids, ids), model(ids, ids))


def test_the_same_seed_gives_the_same_bytes_and_leaves_others_numbers_alone(
    fresh: Path, tokenizer: Path, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    counted = fresh_gpt(ASKED, tokenizer, tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    assert folder_digest(tmp_path / "again") == folder_digest(fresh)
    model = Gpt.load(fresh)
    assert counted == {"parameters": model.parameter_count, "embedding_parameters": model.embedding_count}
    fresh_gpt(ASKED.model_copy(update={"seed": 1}), tokenizer, tmp_path / "other")
    assert folder_digest(tmp_path / "other") != folder_digest(fresh)


def test_rows_that_are_too_long_are_refused() -> None:
    ids = random_ids(1, CONTEXT + 1)
    with pytest.raises(ConfigError, match=f"rows of {CONTEXT + 1} tokens .* expected at most {CONTEXT}"):
        tiny_gpt()(ids, ids)


def test_a_tokenizer_that_ends_no_text_is_refused(tmp_path: Path) -> None:
    tokenizer = tiny_code_tokenizer()
    tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    assert load_tokenizer(tmp_path / "tokenizer").eos_token_id is None
    with pytest.raises(ConfigError, match="has no token that ends a text"):
        fresh_gpt(ASKED, tmp_path / "tokenizer", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_gpt_2_is_refused(tmp_path: Path) -> None:
    with quiet_transformers():
        BertLMHeadModel(tiny_config(num_hidden_layers=1, is_decoder=True)).save_pretrained(tmp_path / "bert")
    with pytest.raises(ArtifactError, match="is a bert: expected a GPT-2"):
        Gpt.load(tmp_path / "bert")
    with pytest.raises(ArtifactError, match=r"has no config\.json"):
        Gpt.load(tmp_path / "nothing")


def test_weights_that_are_missing_or_damaged_are_said(fresh: Path) -> None:
    path = fresh / "model.safetensors"
    weights = load_file(path)
    gone = weights.pop("transformer.h.0.mlp.c_fc.weight")
    save_file(weights, path, metadata={"format": "pt"})
    assert gone.shape == (16, 64)
    with pytest.raises(ArtifactError, match=r"lacks 1 weights .* transformer\.h\.0\.mlp\.c_fc\.weight"):
        Gpt.load(fresh)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match="cannot be read"):
        Gpt.load(fresh)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="the model could not be written to"):
        tiny_gpt().save(tmp_path / "file", tiny_code_tokenizer())
