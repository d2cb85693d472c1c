import json

import numpy as np
import pytest
import torch

from infra.errors import ArtifactError, StoreError
from tasks.formats.checkpoint import CheckpointInfo, load_info
from tasks.models.batching import encode, pad
from tasks.models.inference import answer_texts, embed_and_classify
from tasks.models.loading import load_body, load_tokenizer
from tasks.models.model import SentenceClassifier, mean_pool
from tests.tasks.models.tiny_encoder import tiny_config, tiny_tokenizer, write_base, write_teacher

TEXTS = ["what is my balance", "show me the flight please", "rain", "tell me about the hotel ticket in paris"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp("teacher") / "checkpoint")


@pytest.fixture
def own_copy(tmp_path):
    return write_teacher(tmp_path / "checkpoint")


def test_saved_and_loaded_model_gives_the_same_logits(tmp_path, checkpoint):
    model, tokenizer = SentenceClassifier.load(checkpoint), load_tokenizer(checkpoint)
    model.save(tmp_path, tokenizer, load_info(checkpoint))
    again = answer_texts(SentenceClassifier.load(tmp_path), load_tokenizer(tmp_path), TEXTS, 32)
    np.testing.assert_array_equal(answer_texts(model, tokenizer, TEXTS, 32).logits, again.logits)


def test_same_model_is_saved_as_the_same_bytes(tmp_path):
    first, second = write_teacher(tmp_path / "a"), write_teacher(tmp_path / "b")
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert not any(str(tmp_path).encode() in (first / name).read_bytes() for name in names)


def test_sentence_transformers_opens_a_checkpoint_and_gives_its_logits(checkpoint):
    from sentence_transformers import SentenceTransformer

    logits = SentenceTransformer(str(checkpoint), device="cpu").encode(TEXTS)
    ours = answer_texts(SentenceClassifier.load(checkpoint), load_tokenizer(checkpoint), TEXTS, 32).logits
    np.testing.assert_allclose(logits, ours, atol=1e-5)


def test_transformers_opens_the_body_of_a_checkpoint(checkpoint):
    from transformers import AutoModel

    ids, mask = pad(encode(load_tokenizer(checkpoint), TEXTS, 32), 0)
    model = SentenceClassifier.load(checkpoint)
    body = AutoModel.from_pretrained(checkpoint, trust_remote_code=False).eval()
    with torch.inference_mode():
        tokens = body(input_ids=ids, attention_mask=mask).last_hidden_state
        torch.testing.assert_close(tokens, model.body(input_ids=ids, attention_mask=mask).last_hidden_state)
    assert body.config.id2label[0] == "balance"


def test_pooling_and_normalisation_follow_the_plain_formula():
    torch.manual_seed(0)
    model = SentenceClassifier.from_config(tiny_config(), 3).eval()
    ids, mask = torch.tensor([[2, 9, 10, 3], [2, 9, 3, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    with torch.inference_mode():
        tokens, output = (
            model.body(input_ids=ids, attention_mask=mask).last_hidden_state.numpy(),
            model(ids, mask),
        )
    for i, length in enumerate((4, 3)):
        mean = tokens[i, :length].mean(axis=0)
        np.testing.assert_allclose(output.vectors[i], mean / np.linalg.norm(mean), atol=1e-5)


def test_padding_does_not_move_a_vector(checkpoint):
    model, tokenizer = SentenceClassifier.load(checkpoint), load_tokenizer(checkpoint)
    alone = answer_texts(model, tokenizer, TEXTS[2:3], 32)
    beside = answer_texts(model, tokenizer, TEXTS, 32)
    np.testing.assert_allclose(alone.vectors[0], beside.vectors[2], atol=1e-5)


def test_a_row_of_padding_alone_stays_finite():
    assert torch.isfinite(mean_pool(torch.ones(1, 2, 4), torch.zeros(1, 2, dtype=torch.int64))).all()


def test_head_of_a_base_model_is_undecided(tmp_path):
    model = SentenceClassifier.from_base(write_base(tmp_path), 5).eval()
    logits = embed_and_classify(model, [[2, 9, 3]], 0).logits
    assert logits.shape == (1, 5)
    assert (logits == 0).all()


def test_answers_come_in_the_order_of_the_texts_whatever_the_batch(checkpoint):
    model, rows = SentenceClassifier.load(checkpoint), [[2, 9, 3], [2, 3], [2, 9, 10, 11, 3]]
    one, all_together = (
        embed_and_classify(model, rows, 0, batch_size=1),
        embed_and_classify(model, rows, 0, batch_size=8),
    )
    np.testing.assert_allclose(one.logits, all_together.logits, atol=1e-5)


def test_long_texts_are_cut_and_no_texts_are_no_rows():
    tokenizer = tiny_tokenizer()
    assert [len(row) for row in encode(tokenizer, ["the " * 50, "the"], 8)] == [8, 3]
    assert encode(tokenizer, [], 8) == []


def test_info_names_the_out_of_scope_id():
    assert CheckpointInfo(labels=("a", "oos"), out_of_scope="oos", max_length=8).out_of_scope_id == 1
    assert CheckpointInfo(labels=("a", "b"), out_of_scope=None, max_length=8).out_of_scope_id is None


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "classifier.json", "3_Dense/model.safetensors"]
)
def test_a_missing_file_is_an_error_that_names_the_folder(own_copy, name):
    (own_copy / name).unlink()
    with pytest.raises(ArtifactError, match=str(own_copy)):
        SentenceClassifier.load(own_copy)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "classifier.json", "3_Dense/model.safetensors"]
)
def test_a_truncated_file_is_an_error_with_a_remedy(own_copy, name):
    content = (own_copy / name).read_bytes()
    (own_copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="again"):
        SentenceClassifier.load(own_copy)


def test_a_body_that_lacks_weights_is_refused_instead_of_filled_with_random_ones(own_copy):
    from safetensors.torch import load_file, save_file

    weights = load_file(own_copy / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, own_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match="lacks 1 weights"):
        load_body(own_copy)


@pytest.mark.parametrize("field", ["attn_implementation", "_attn_implementation"])
def test_a_body_whose_config_asks_for_a_kernel_is_refused_before_transformers_sees_it(own_copy, field):
    config = json.loads((own_copy / "config.json").read_text())
    (own_copy / "config.json").write_text(json.dumps(config | {field: "somebody/kernel"}))
    with pytest.raises(ArtifactError, match=f"asks for {field} 'somebody/kernel'"):
        load_body(own_copy)


@pytest.mark.parametrize("wrong", [{"hidden_size": "many"}, {"hidden_act": {}}, {"num_attention_heads": 0}])
def test_a_config_that_makes_no_model_is_an_error_with_a_remedy(own_copy, wrong):
    config = json.loads((own_copy / "config.json").read_text())
    (own_copy / "config.json").write_text(json.dumps(config | wrong))
    with pytest.raises(ArtifactError, match=f"{own_copy} cannot be read as an encoder"):
        load_body(own_copy)


def test_a_tokenizer_that_fails_at_a_text_is_named(own_copy):
    spec = json.loads((own_copy / "tokenizer.json").read_text())
    spec["pre_tokenizer"] = {"type": "FixedLength", "length": 0}
    (own_copy / "tokenizer.json").write_text(json.dumps(spec))
    with pytest.raises(ArtifactError, match=f"the tokenizer of {own_copy} fails at a text"):
        encode(load_tokenizer(own_copy), TEXTS, 32)


def test_a_head_of_another_size_is_refused(own_copy):
    info = CheckpointInfo(labels=("a", "b"), out_of_scope=None, max_length=32)
    (own_copy / "classifier.json").write_text(info.model_dump_json())
    with pytest.raises(ArtifactError, match="expected 2 rows"):
        SentenceClassifier.load(own_copy)


def test_a_disk_that_takes_no_checkpoint_is_a_store_error(tmp_path, checkpoint):
    (tmp_path / "out").write_text("a file where the folder should be")
    model, tokenizer = SentenceClassifier.load(checkpoint), load_tokenizer(checkpoint)
    with pytest.raises(StoreError, match="Free some space"):
        model.save(tmp_path / "out", tokenizer, load_info(checkpoint))


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    with pytest.raises(ArtifactError, match="no tokenizer that can be read"):
        load_tokenizer(tmp_path)
