import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from infra.errors import ArtifactError, ConfigError
from tasks.distill.config import AugmentConfig, DistillConfig
from tasks.distill.outputs import read_teacher_outputs, write_teacher_outputs
from tasks.distill.student import train_student
from tasks.encoder.checkpoint import load_info
from tasks.encoder.inference import answer_texts
from tasks.encoder.loading import load_tokenizer
from tasks.encoder.model import SentenceClassifier
from tasks.labelled_text.dataset import load_split
from tests.tasks.encoder.tiny_encoder import VOCABULARY, tiny_tokenizer, write_dataset, write_teacher
from tests.tasks.training.killing import dies

CONFIG = DistillConfig(
    layers=2, intermediate_size=32, max_length=32, epochs=2, learning_rate=3e-3, batch_size=16, checkpoint_every=5,
    mixed_precision="no",
)  # fmt: skip
AUGMENT = AugmentConfig(copies=2, mixed_precision="no")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Folders of teacher, its outputs, tokenizer and data set."""
    folder = tmp_path_factory.mktemp("inputs")
    teacher, dataset = write_teacher(folder / "teacher"), write_dataset(folder / "set")
    tiny_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "outputs").mkdir()
    write_teacher_outputs(AUGMENT, teacher, dataset, folder / "outputs")
    return teacher, folder / "outputs", folder / "tokenizer", dataset


def silent(metrics, step):
    """An observer that looks away."""


def distil(inputs: tuple[Path, ...], folder: Path, config: DistillConfig = CONFIG, log=silent):
    return train_student(config, *inputs, folder / "out", folder / "work", log)


def distil_and_die(inputs: tuple[Path, ...], folder: Path) -> None:
    """Distil until the first epoch has been validated, then die without warning."""

    def log(metrics, step):
        if "validation_accuracy" in metrics:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    distil(inputs, folder, log=log)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cosine_to_teacher(inputs: tuple[Path, ...], student: Path) -> float:
    texts = load_split(inputs[3], "test").texts
    ours, theirs = (
        answer_texts(SentenceClassifier.load(path), load_tokenizer(path), texts, 32).vectors
        for path in (student, inputs[0])
    )
    return float((ours * theirs).sum(axis=1).mean())


def test_a_student_comes_close_to_its_teacher_and_opens_as_a_checkpoint(tmp_path, inputs):
    config = CONFIG.model_copy(update={"epochs": 5})
    metrics = distil(inputs, tmp_path, config)
    distil(inputs, tmp_path / "start", CONFIG.model_copy(update={"epochs": 1, "learning_rate": 1e-12}))
    assert cosine_to_teacher(inputs, tmp_path / "out") > 0.9
    assert cosine_to_teacher(inputs, tmp_path / "out") > cosine_to_teacher(inputs, tmp_path / "start" / "out")
    student = SentenceClassifier.load(tmp_path / "out")
    assert metrics["parameters"] == sum(value.numel() for value in student.parameters())
    assert student.body.config.num_hidden_layers == 2
    assert load_info(tmp_path / "out").max_length == 32


def test_a_student_killed_in_training_ends_with_the_same_bytes(tmp_path, inputs):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    distil(inputs, tmp_path / "unbroken")
    assert dies(distil_and_die, inputs, tmp_path / "broken")
    distil(inputs, tmp_path / "broken")
    torch.set_num_threads(threads)
    assert files(tmp_path / "broken" / "out") == files(tmp_path / "unbroken" / "out")


def test_embeddings_of_a_trimmed_vocabulary_stay_the_teachers(tmp_path, inputs):
    kept = [*range(20), 22, 25]
    tiny_tokenizer([VOCABULARY[i] for i in kept]).save_pretrained(tmp_path / "trimmed")
    np.save(tmp_path / "trimmed" / "kept_ids.npy", np.array(kept))
    distil((*inputs[:2], tmp_path / "trimmed", inputs[3]), tmp_path)
    ours, theirs = (SentenceClassifier.load(path).body for path in (tmp_path / "out", inputs[0]))
    rows = theirs.embeddings.word_embeddings.weight[kept]
    assert torch.equal(ours.embeddings.word_embeddings.weight, rows)


def test_embeddings_of_a_new_vocabulary_learn(tmp_path, inputs):
    new = [*VOCABULARY[:14], *reversed(VOCABULARY[14:]), "potatoes"]
    tiny_tokenizer(new).save_pretrained(tmp_path / "new")
    distil((*inputs[:2], tmp_path / "new", inputs[3]), tmp_path)
    ours, theirs = (SentenceClassifier.load(path).body for path in (tmp_path / "out", inputs[0]))
    assert not torch.equal(
        ours.embeddings.word_embeddings.weight[:14], theirs.embeddings.word_embeddings.weight[:14]
    )


def test_plain_fine_tuning_does_not_look_at_the_teachers_answers(tmp_path, inputs):
    shutil.copytree(inputs[1], tmp_path / "noise")
    for name in ("vectors.npy", "logits.npy"):
        shape = np.load(inputs[1] / name).shape
        np.save(tmp_path / "noise" / name, np.random.default_rng(0).normal(size=shape).astype(np.float32))
    config = CONFIG.model_copy(update={"alpha": 1.0, "beta": 0.0, "epochs": 1})
    distil(inputs, tmp_path / "a", config)
    distil((inputs[0], tmp_path / "noise", *inputs[2:]), tmp_path / "b", config)
    assert files(tmp_path / "a" / "out") == files(tmp_path / "b" / "out")


def test_outputs_hold_every_training_row_with_its_label_and_made_text_without(inputs):
    outputs, train = read_teacher_outputs(inputs[1]), load_split(inputs[3], "train")
    assert outputs.texts[: len(train)] == train.texts
    assert (outputs.labels[: len(train)] == train.labels).all()
    assert (outputs.labels[len(train) :] == -1).all()
    assert len(outputs.texts) == 3 * len(train)
    np.testing.assert_allclose(np.linalg.norm(outputs.vectors, axis=1), 1, atol=1e-5)
    answers = answer_texts(SentenceClassifier.load(inputs[0]), load_tokenizer(inputs[0]), outputs.texts, 32)
    np.testing.assert_allclose(outputs.logits, answers.logits, atol=1e-5)


def test_outputs_are_the_same_bytes_each_time(tmp_path, inputs):
    counts = write_teacher_outputs(AUGMENT, inputs[0], inputs[3], tmp_path)
    assert files(tmp_path) == files(inputs[1])
    assert counts["texts_train"] == 60
    assert sum(counts.values()) == 180


def test_unset_copies_are_refused(tmp_path, inputs):
    with pytest.raises(ConfigError, match="copies"):
        write_teacher_outputs(AugmentConfig(), inputs[0], inputs[3], tmp_path)


@pytest.mark.parametrize("name", ["texts.parquet", "vectors.npy", "logits.npy"])
def test_damaged_outputs_are_refused(tmp_path, inputs, name):
    shutil.copytree(inputs[1], tmp_path / "outputs")
    (tmp_path / "outputs" / name).write_bytes(b"not what it was")
    with pytest.raises(ArtifactError, match="Run teacher_outputs again"):
        read_teacher_outputs(tmp_path / "outputs")


def test_outputs_of_unequal_length_are_refused(tmp_path, inputs):
    shutil.copytree(inputs[1], tmp_path / "outputs")
    np.save(tmp_path / "outputs" / "logits.npy", np.zeros((3, 4), dtype=np.float32))
    with pytest.raises(ArtifactError, match="as many of each"):
        read_teacher_outputs(tmp_path / "outputs")


def test_outputs_of_another_teacher_are_refused(tmp_path, inputs):
    other = write_teacher(tmp_path / "teacher", labels=("a", "b", "c"))
    with pytest.raises(ArtifactError, match="with this teacher"):
        distil((other, *inputs[1:]), tmp_path)
