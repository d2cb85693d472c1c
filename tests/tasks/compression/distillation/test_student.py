import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from infra.errors import ArtifactError, ConfigError
from tasks.compression.distillation.config import DistillConfig
from tasks.compression.distillation.outputs import read_teacher_outputs, write_teacher_outputs
from tasks.compression.distillation.student import Sources, train_student
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.generation.config import AugmentConfig
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.teacher import train_teacher
from tasks.training.loop.checkpoint import load_checkpoint
from tests.tasks.models.tiny_encoder import (
    VOCABULARY,
    tiny_tokenizer,
    write_base,
    write_dataset,
    write_teacher,
)
from tests.tasks.training.killing import dies

CONFIG = DistillConfig(
    layers=2, intermediate_size=32, max_length=32, epochs=2, learning_rate=3e-3, batch_size=16, checkpoint_every=5,
    mixed_precision="no",
)  # fmt: skip
AUGMENT = AugmentConfig(copies=2, mixed_precision="no")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders of teacher, its outputs, tokenizer and data set."""
    folder = tmp_path_factory.mktemp("sources")
    base, dataset, teacher = write_base(folder / "base"), write_dataset(folder / "set"), folder / "teacher"
    teaching = TrainConfig(
        epochs=6, max_length=32, learning_rate=1e-3, freeze_words=False, mixed_precision="no"
    )
    train_teacher(teaching, base, dataset, teacher, folder / "work", silent)
    tiny_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "outputs").mkdir()
    write_teacher_outputs(AUGMENT, teacher, dataset, folder / "outputs")
    return Sources(teacher, folder / "outputs", folder / "tokenizer", dataset)


def silent(metrics, step):
    """An observer that looks away."""


def distil(sources: Sources, folder: Path, config: DistillConfig = CONFIG, log=silent):
    return train_student(config, sources, folder / "out", folder / "work", log)


def distil_and_die(sources: Sources, folder: Path) -> None:
    """Distil until the first epoch has been validated, then die without warning."""

    def log(metrics, step):
        if "validation_accuracy" in metrics:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    distil(sources, folder, log=log)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cosine_to_teacher(sources: Sources, student: Path) -> float:
    texts = load_split(sources.dataset, "test").texts
    ours, theirs = (
        answer_texts(SentenceClassifier.load(path), load_tokenizer(path), texts, 32).vectors
        for path in (student, sources.teacher)
    )
    return float((ours * theirs).sum(axis=1).mean())


def test_a_student_comes_close_to_its_teacher_and_opens_as_a_checkpoint(tmp_path, sources):
    # So narrow that it has to learn: a student that answers as its teacher from the start is kept as it is.
    narrow = CONFIG.model_copy(update={"intermediate_size": 2})
    config = narrow.model_copy(update={"epochs": 5})
    metrics = distil(sources, tmp_path, config)
    distil(sources, tmp_path / "start", narrow.model_copy(update={"epochs": 1, "learning_rate": 1e-12}))
    assert cosine_to_teacher(sources, tmp_path / "out") > 0.9
    assert cosine_to_teacher(sources, tmp_path / "out") > cosine_to_teacher(
        sources, tmp_path / "start" / "out"
    )
    student = SentenceClassifier.load(tmp_path / "out")
    assert metrics["parameters"] == sum(value.numel() for value in student.parameters())
    assert student.body.config.num_hidden_layers == 2
    assert load_info(tmp_path / "out").max_length == 32


@pytest.mark.slow
def test_a_student_killed_in_training_ends_with_the_same_bytes(tmp_path, sources):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    distil(sources, tmp_path / "unbroken")
    assert dies(distil_and_die, sources, tmp_path / "broken")
    distil(sources, tmp_path / "broken")
    torch.set_num_threads(threads)
    assert files(tmp_path / "broken" / "out") == files(tmp_path / "unbroken" / "out")


def test_embeddings_of_a_trimmed_vocabulary_stay_the_teachers(tmp_path, sources):
    kept = [*range(20), 22, 25]
    tiny_tokenizer([VOCABULARY[i] for i in kept]).save_pretrained(tmp_path / "trimmed")
    np.save(tmp_path / "trimmed" / "kept_ids.npy", np.array(kept))
    distil(sources._replace(tokenizer=tmp_path / "trimmed"), tmp_path)
    ours, theirs = (SentenceClassifier.load(path).body for path in (tmp_path / "out", sources.teacher))
    rows = theirs.embeddings.word_embeddings.weight[kept]
    assert torch.equal(ours.embeddings.word_embeddings.weight, rows)


def test_embeddings_of_a_new_vocabulary_learn(tmp_path, sources):
    new = [*VOCABULARY[:14], *reversed(VOCABULARY[14:]), "potatoes"]
    tiny_tokenizer(new).save_pretrained(tmp_path / "new")
    distil(sources._replace(tokenizer=tmp_path / "new"), tmp_path)
    trained = load_checkpoint(tmp_path / "work").tensors["model/body.embeddings.word_embeddings.weight"]
    theirs = SentenceClassifier.load(sources.teacher).body.embeddings.word_embeddings.weight
    assert trained.shape == (len(new), 32)
    assert not torch.equal(trained[:14], theirs[:14])


def test_plain_fine_tuning_does_not_look_at_the_teachers_answers(tmp_path, sources):
    shutil.copytree(sources.outputs, tmp_path / "noise")
    for name in ("vectors.npy", "logits.npy"):
        shape = np.load(sources.outputs / name).shape
        np.save(tmp_path / "noise" / name, np.random.default_rng(0).normal(size=shape).astype(np.float32))
    config = CONFIG.model_copy(update={"alpha": 1.0, "beta": 0.0, "epochs": 1})
    distil(sources, tmp_path / "a", config)
    distil(sources._replace(outputs=tmp_path / "noise"), tmp_path / "b", config)
    assert files(tmp_path / "a" / "out") == files(tmp_path / "b" / "out")


def test_outputs_hold_every_training_row_with_its_label_and_made_text_without(sources):
    outputs, train = read_teacher_outputs(sources.outputs), load_split(sources.dataset, "train")
    assert outputs.texts[: len(train)] == train.texts
    assert (outputs.labels[: len(train)] == train.labels).all()
    assert (outputs.labels[len(train) :] == -1).all()
    assert len(outputs.texts) == 3 * len(train)
    np.testing.assert_allclose(np.linalg.norm(outputs.vectors, axis=1), 1, atol=1e-5)
    answers = answer_texts(
        SentenceClassifier.load(sources.teacher), load_tokenizer(sources.teacher), outputs.texts, 32
    )
    np.testing.assert_allclose(outputs.logits, answers.logits, atol=1e-5)


def test_outputs_are_the_same_bytes_each_time(tmp_path, sources):
    counts = write_teacher_outputs(AUGMENT, sources.teacher, sources.dataset, tmp_path)
    assert files(tmp_path) == files(sources.outputs)
    assert counts["texts_train"] == 60
    assert sum(counts.values()) == 180


def test_unset_copies_are_refused(tmp_path, sources):
    with pytest.raises(ConfigError, match="copies"):
        write_teacher_outputs(AugmentConfig(), sources.teacher, sources.dataset, tmp_path)


@pytest.mark.parametrize("name", ["texts.parquet", "vectors.npy", "logits.npy"])
def test_damaged_outputs_are_refused(tmp_path, sources, name):
    shutil.copytree(sources.outputs, tmp_path / "outputs")
    (tmp_path / "outputs" / name).write_bytes(b"not what it was")
    with pytest.raises(ArtifactError, match="Run teacher_outputs again"):
        read_teacher_outputs(tmp_path / "outputs")


def test_outputs_of_unequal_length_are_refused(tmp_path, sources):
    shutil.copytree(sources.outputs, tmp_path / "outputs")
    np.save(tmp_path / "outputs" / "logits.npy", np.zeros((3, 4), dtype=np.float32))
    with pytest.raises(ArtifactError, match="as many of each"):
        read_teacher_outputs(tmp_path / "outputs")


def test_outputs_of_another_teacher_are_refused(tmp_path, sources):
    other = write_teacher(tmp_path / "teacher", labels=("a", "b", "c"))
    with pytest.raises(ArtifactError, match="with this teacher"):
        distil(sources._replace(teacher=other), tmp_path)
