"""Cuts without training: what is cut, that the rest stays, and that every consumer of a checkpoint takes the result."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from infra.errors import ConfigError
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.trimming.config import SizeConfig
from tasks.compression.trimming.positions import cut_positions
from tasks.compression.trimming.shrink import shrink, token_counts
from tasks.compression.trimming.vocabulary import keep_tokens
from tasks.formats.checkpoint import load_info
from tasks.inference.onnx import OnnxRunner
from tasks.inference.runner import open_runner
from tasks.models.embedding import word_table
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tests.tasks.models.tiny_encoder import (
    COMMON,
    SPECIAL,
    VOCABULARY,
    tiny_tokenizer,
    write_dataset,
    write_teacher,
)

pytestmark = pytest.mark.slow

TEXTS = ["what is my balance", "show me the rain please", "tell me about the hotel"]
# Single letters, so that trimming can keep every word spellable.
LETTERS = [
    token for letter in "abcdefghijklmnopqrstuvwxyz" for token in (letter, f"##{letter}") if token != "##s"
]
TOKENS = len(VOCABULARY) + len(LETTERS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A teacher whose vocabulary has letters too."""
    folder = write_teacher(tmp_path_factory.mktemp("teacher") / "words")
    model = SentenceClassifier.load(folder)
    rows = torch.randn(len(LETTERS), 32, generator=torch.Generator().manual_seed(0)) * 0.2
    words = model.body.embeddings.word_embeddings
    words.weight = torch.nn.Parameter(torch.cat([words.weight.detach(), rows]))
    model.body.config.vocab_size = TOKENS
    cut_positions(model, 32)  # what the texts reach: a cut is measured by what it adds
    model.save(folder.parent / "letters", tiny_tokenizer([*VOCABULARY, *LETTERS]), load_info(folder))
    return folder.parent / "letters"


def run(checkpoint, dataset, folder, **asked):
    return shrink(SizeConfig(**asked), checkpoint, dataset, folder)


def logits(folder, texts=TEXTS):
    return open_runner(folder).logits(texts)


def test_nothing_asked_changes_no_answer(checkpoint, dataset, tmp_path):
    found = run(checkpoint, dataset, tmp_path)
    assert found["validation_agreement"] == 1.0
    np.testing.assert_array_equal(logits(tmp_path), logits(checkpoint))


def test_a_cut_vocabulary_keeps_the_rows_of_frequent_tokens(checkpoint, dataset, tmp_path):
    size = len(SPECIAL) + len(LETTERS) + 1 + len(COMMON)  # ##s is a letter too
    found = run(checkpoint, dataset, tmp_path, vocabulary_size=size)
    tokenizer, model = load_tokenizer(tmp_path), SentenceClassifier.load(tmp_path)
    assert len(tokenizer) == model.body.config.vocab_size == size
    assert found["parameters_before"] - found["parameters"] == 32 * (TOKENS - size)
    ids = tokenizer.get_vocab()
    assert set(COMMON) <= ids.keys()
    before, old = word_table(SentenceClassifier.load(checkpoint).body), load_tokenizer(checkpoint).get_vocab()
    after = word_table(model.body)
    assert all(torch.equal(after[new], before[old[token]]) for token, new in ids.items())
    assert tokenizer.tokenize("the potato")[1:] == ["p", "##o", "##t", "##a", "##t", "##o"]
    assert 0.3 < found["validation_agreement"] < 1


def test_texts_of_kept_tokens_are_answered_as_before(checkpoint, dataset, tmp_path):
    run(checkpoint, dataset, tmp_path, vocabulary_size=len(SPECIAL) + len(LETTERS) + 1 + len(COMMON))
    known = ["what is my", "show me the", " ".join(COMMON)]
    np.testing.assert_allclose(logits(tmp_path, known), logits(checkpoint, known), atol=1e-5)


def test_all_cuts_together_are_taken_by_the_exporter_with_the_same_answers(checkpoint, dataset, tmp_path):
    for name in ("cut", "onnx"):
        (tmp_path / name).mkdir()
    run(checkpoint, dataset, tmp_path / "cut", vocabulary_size=70, max_length=16, embedding_rank=24)
    export_onnx(CompressConfig(), tmp_path / "cut", dataset, tmp_path / "onnx")
    graph, whole = OnnxRunner(tmp_path / "onnx", threads=1), logits(tmp_path / "cut", [*TEXTS, "the " * 40])
    answers = graph.logits([*TEXTS, "the " * 40]) * graph.temperature
    np.testing.assert_allclose(answers[:, :3], whole[:, :3], atol=1e-4)  # without the rule's column
    assert len(Tokenizer.from_file(str(tmp_path / "onnx" / "tokenizer.json")).encode("the " * 40).ids) == 16
    assert load_info(tmp_path / "cut").max_length == 16


def test_counting_tokens_keeps_the_frequent_ones_closest(checkpoint, dataset, tmp_path):
    counted = run(checkpoint, dataset, tmp_path / "counted", embedding_rank=8)
    alike = run(checkpoint, dataset, tmp_path / "alike", embedding_rank=8, count_tokens=False)
    assert counted["parameters"] == alike["parameters"]
    whole = word_table(SentenceClassifier.load(checkpoint).body)
    weights = token_counts(load_tokenizer(checkpoint), TOKENS, dataset)

    def error(name):
        apart = word_table(SentenceClassifier.load(tmp_path / name).body) - whole
        return float(weights @ apart.double().square().sum(dim=1))

    assert error("counted") < error("alike")


def test_factorised_embeddings_can_lose_tokens_later(checkpoint, dataset, tmp_path):
    run(checkpoint, dataset, tmp_path / "first", embedding_rank=24, count_tokens=False)
    run(tmp_path / "first", dataset, tmp_path / "second", vocabulary_size=70)
    run(checkpoint, dataset, tmp_path / "other", vocabulary_size=70)
    kept = SentenceClassifier.load(tmp_path / "second")
    assert kept.body.get_input_embeddings().rows.weight.shape == (70, 24)
    ids = [load_tokenizer(tmp_path / "second").get_vocab()[token] for token in ("the", "##a")]
    old = [load_tokenizer(checkpoint).get_vocab()[token] for token in ("the", "##a")]
    torch.testing.assert_close(
        word_table(kept.body)[ids], word_table(SentenceClassifier.load(tmp_path / "first").body)[old]
    )


def test_the_same_cut_is_the_same_bytes(checkpoint, dataset, tmp_path):
    asked = {"vocabulary_size": 70, "embedding_rank": 8, "max_length": 16}
    run(checkpoint, dataset, tmp_path / "a", **asked)
    run(checkpoint, dataset, tmp_path / "b", **asked)
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_counts_are_of_the_training_texts_with_their_special_tokens(checkpoint, dataset):
    counts = token_counts(load_tokenizer(checkpoint), TOKENS, dataset)
    ids = load_tokenizer(checkpoint).get_vocab()
    assert counts[ids["[CLS]"]] == counts[ids["[SEP]"]] == 61
    assert counts[ids["##z"]] == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"vocabulary_size": 20}, r"size\.vocabulary_size is 20: expected at least"),
        ({"max_length": 64}, r"size\.max_length is 64: expected at most"),
        ({"embedding_rank": 32}, "embedding_rank is 32: expected 1 to 31"),
    ],
)
def test_cuts_that_the_model_does_not_allow_are_refused(checkpoint, dataset, tmp_path, asked, message):
    with pytest.raises(ConfigError, match=message):
        run(checkpoint, dataset, tmp_path, **asked)


def test_a_padding_token_that_moves_is_refused_where_positions_hang_on_it():
    from transformers import RobertaConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    config = RobertaConfig(vocab_size=len(VOCABULARY), max_position_embeddings=42, pad_token_id=5, **sizes)
    model = SentenceClassifier.from_config(config, 3)
    moved = [*SPECIAL[1:], "what", SPECIAL[0], *VOCABULARY[6:]]
    tokenizer = tiny_tokenizer(moved)
    kept = np.array([i for i, token in enumerate(moved) if token != "what"])
    with pytest.raises(ConfigError, match="expected 5"):
        keep_tokens(model, tokenizer, kept)
