from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from infra.errors import ArtifactError, ConfigError
from tasks.compression.distillation.embedding_bag import (
    initial_embedding_bag,
    principal_components,
    train_embedding_bag,
)
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.distillation.outputs import write_teacher_outputs
from tasks.compression.distillation.student import Sources
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.generation.config import AugmentConfig
from tasks.inference.runner import open_runner
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.teacher import train_teacher
from tests.tasks.models.tiny_encoder import tiny_tokenizer, write_base, write_dataset, write_teacher

CONFIG = EmbeddingBagConfig(
    dimensions=16, pairs=64, max_length=32, epochs=4, batch_size=16, learning_rate=0.03
)


def silent(metrics, step):
    """An observer that looks away."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    base, dataset, teacher = (
        write_base(folder / "base"),
        write_dataset(folder / "set", rows=240),
        folder / "teacher",
    )
    teaching = TrainConfig(epochs=6, max_length=32, learning_rate=1e-3, mixed_precision="no")
    train_teacher(teaching, base, dataset, teacher, folder / "work", silent)
    tiny_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "outputs").mkdir()
    write_teacher_outputs(AugmentConfig(copies=2, mixed_precision="no"), teacher, dataset, folder / "outputs")
    return Sources(teacher, folder / "outputs", folder / "tokenizer", dataset)


def train(sources: Sources, folder: Path, config: EmbeddingBagConfig = CONFIG) -> dict[str, float]:
    (folder / "work").mkdir(parents=True)
    return dict(train_embedding_bag(config, sources, folder / "out", folder / "work", silent))


def test_it_learns_the_teachers_answers(sources: Sources, tmp_path: Path) -> None:
    metrics = train(sources, tmp_path)
    texts = load_split(sources.dataset, "test").texts
    answers = [
        open_runner(folder, threads=1).logits(texts).argmax(axis=1)
        for folder in (tmp_path / "out", sources.teacher)
    ]
    assert (answers[0] == answers[1]).mean() > 0.85
    assert metrics["validation_in_scope_accuracy"] > 0.85
    assert load_info(tmp_path / "out").labels == load_info(sources.teacher).labels


def test_same_seed_gives_the_same_bytes(sources: Sources, tmp_path: Path) -> None:
    short = CONFIG.model_copy(update={"epochs": 1})
    for name in ("one", "other"):
        train(sources, tmp_path / name, short)
    names = ("model.safetensors", "3_Dense/model.safetensors", "config.json", "classifier.json")
    for name in names:
        assert (tmp_path / "one" / "out" / name).read_bytes() == (
            tmp_path / "other" / "out" / name
        ).read_bytes()


def test_tables_have_the_sizes_asked_for(sources: Sources, tmp_path: Path) -> None:
    metrics = train(sources, tmp_path, CONFIG.model_copy(update={"epochs": 1, "pairs": 0}))
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    tokens = len(tiny_tokenizer())
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "embeddings.word_embeddings.weight": (tokens, 16)
    }
    assert metrics["parameters"] == tokens * 16 + 16 * 4 + 4


def test_tokens_alike_to_the_teacher_are_alike_at_the_start(sources: Sources) -> None:
    bag = initial_embedding_bag(CONFIG.model_copy(update={"dimensions": 32}), sources, tiny_tokenizer(), 4)
    teacher = load_file(sources.teacher / "model.safetensors")["embeddings.word_embeddings.weight"]
    distances = [
        torch.cdist(rows, rows).flatten().numpy()
        for rows in (teacher, bag.body.get_input_embeddings().weight.detach())
    ]
    assert np.corrcoef(distances)[0, 1] > 0.999


@given(st.integers(1, 12), st.integers(2, 9), st.integers(1, 9))
def test_components_are_centred_and_ordered_by_variance(rows: int, hidden: int, kept: int) -> None:
    torch.manual_seed(0)
    projected = principal_components(torch.randn(rows, hidden), kept)
    assert projected.shape == (rows, kept)
    assert torch.isfinite(projected).all()
    assert projected.mean(dim=0).abs().max() < 1e-4
    variance = projected.square().sum(dim=0)
    assert all(variance[i] >= variance[i + 1] - 1e-3 for i in range(kept - 1))


def test_more_dimensions_than_the_teacher_has_are_refused(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected at most the teacher's 32"):
        train(sources, tmp_path, CONFIG.model_copy(update={"dimensions": 33}))


def test_another_teachers_outputs_are_refused(sources: Sources, tmp_path: Path) -> None:
    other = write_teacher(tmp_path / "teacher", ("one", "two"))
    with pytest.raises(ArtifactError, match="has 4 logits: expected the teacher's 2"):
        train(sources._replace(teacher=other), tmp_path)
