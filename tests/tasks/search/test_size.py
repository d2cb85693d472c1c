"""The size that a trial is turned away by, against the size of what is really written."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig

from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.export.config import CompressConfig
from tasks.compression.export.export import export_onnx
from tasks.compression.quantization.quantize import quantize_onnx
from tasks.models.checkpoint import CheckpointInfo
from tasks.models.embedding import factorise
from tasks.models.embedding_bag import BagOfTokensConfig
from tasks.models.model import SentenceClassifier
from tasks.search.size import Widths, estimated_mb
from tasks.search.trial_parameters import TrialParameters
from tasks.serving.release.package import package_model
from tests.tasks.models.tiny_encoder import OUT_OF_SCOPE, VOCABULARY, WORDS, tiny_tokenizer, write_dataset

pytestmark = pytest.mark.slow

HIDDEN, POSITIONS, LABELS = 384, 64, (*WORDS, OUT_OF_SCOPE)
WIDTHS = Widths(HIDDEN, EmbeddingBagConfig(), POSITIONS, len(LABELS))
CHOICE = TrialParameters(layers=2, intermediate_size=512, vocabulary_size=3_000, epochs=1, alpha=0.0, temperature=1.0,
                embedding_rank=0, weights="int8")  # fmt: skip


def student(choice: TrialParameters) -> SentenceClassifier:
    torch.manual_seed(0)
    if not choice.layers:
        shape = BagOfTokensConfig(vocab_size=choice.vocabulary_size, hidden_size=WIDTHS.bag.dimensions, pairs=WIDTHS.bag.pairs,
                                  max_position_embeddings=POSITIONS)  # fmt: skip
        return SentenceClassifier.from_config(shape, len(LABELS))
    shape = BertConfig(vocab_size=choice.vocabulary_size, hidden_size=HIDDEN, num_hidden_layers=choice.layers,
                       num_attention_heads=12, intermediate_size=choice.intermediate_size,
                       max_position_embeddings=POSITIONS)  # fmt: skip
    model = SentenceClassifier.from_config(shape, len(LABELS))
    if choice.embedding_rank:
        factorise(model.body, choice.embedding_rank, torch.ones(choice.vocabulary_size))
    return model


LONG = pytest.mark.whole_runs


@pytest.mark.parametrize("changed", [
    pytest.param({}, marks=LONG),
    pytest.param({"layers": 1, "vocabulary_size": 6_000}, marks=LONG),
    {"embedding_rank": 128, "vocabulary_size": 6_000},
    {"weights": "int4_embeddings"},
    pytest.param({"weights": "int4"}, marks=LONG),
    {"layers": 0, "intermediate_size": 0},
    {"layers": 0, "intermediate_size": 0, "weights": "int4_embeddings"},
], ids=str)  # fmt: skip
def test_the_estimate_is_within_five_percent(tmp_path: Path, changed: dict[str, object]) -> None:
    choice = CHOICE.model_copy(update=changed)
    dataset = write_dataset(tmp_path / "dataset")
    # Words as long as English WordPieces usually are.
    made = [f"{i:x}word"[:6] for i in range(choice.vocabulary_size - len(VOCABULARY))]
    folders = {name: tmp_path / name for name in ("checkpoint", "onnx", "int8", "package")}
    for folder in folders.values():
        folder.mkdir()
    info = CheckpointInfo(labels=LABELS, out_of_scope=OUT_OF_SCOPE, max_length=POSITIONS)
    student(choice).save(folders["checkpoint"], tiny_tokenizer([*VOCABULARY, *made]), info)
    config = CompressConfig(weights=choice.weights)
    export_onnx(config, folders["checkpoint"], dataset, folders["onnx"])
    quantize_onnx(config, folders["onnx"], dataset, folders["int8"])
    size = package_model(folders["int8"], folders["package"])["size_mb"]
    assert estimated_mb(choice, WIDTHS) == pytest.approx(size, rel=0.05)
