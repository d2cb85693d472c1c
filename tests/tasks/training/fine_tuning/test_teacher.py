import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from infra.errors import ArtifactError, ConfigError, DataError
from tasks.formats.checkpoint import load_info
from tasks.formats.dataset import load_split
from tasks.models.inference import answer_texts
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.probe import probe
from tasks.training.fine_tuning.teacher import train_teacher
from tests.tasks.models.tiny_encoder import write_base, write_dataset
from tests.tasks.training.killing import dies

CONFIG = TrainConfig(
    epochs=3,
    max_length=32,
    learning_rate=1e-3,
    head_rate_factor=5,
    batch_size=8,
    mixed_precision="no",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "set")


def silent(metrics, step):
    """An observer that looks away."""


def train(base: Path, dataset: Path, folder: Path, config: TrainConfig = CONFIG, log=silent):
    return train_teacher(config, base, dataset, folder / "out", folder / "work", log)


def train_and_die(base: Path, dataset: Path, folder: Path) -> None:
    """Train until the second epoch has been validated, then die without warning."""

    def log(metrics, step):
        if step > 10:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    train(base, dataset, folder, log=log)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_teacher_learns_more_than_its_probe_and_opens_as_a_checkpoint(tmp_path, base, dataset):
    logged = []
    config = CONFIG.model_copy(update={"epochs": 6})
    metrics = train(base, dataset, tmp_path, config, lambda values, step: logged.append((step, dict(values))))
    assert metrics["validation_accuracy"] > 0.8
    probed = logged[0][1]["validation_accuracy"]
    assert (logged[0][0], metrics["best_epoch"] > 0) == (0, True)
    assert metrics["validation_accuracy"] > probed
    written = load_info(tmp_path / "out")
    assert (written.labels[-1], written.out_of_scope, written.max_length) == ("oos", "oos", 32)
    test = load_split(dataset, "test")
    model, tokenizer = SentenceClassifier.load(tmp_path / "out"), load_tokenizer(tmp_path / "out")
    assert (answer_texts(model, tokenizer, test.texts, 32).logits.argmax(axis=1) == test.labels).mean() > 0.7


@pytest.mark.slow
def test_a_teacher_killed_in_training_ends_with_the_same_bytes(tmp_path, base, dataset):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(base, dataset, tmp_path / "unbroken")
    torch.set_num_threads(threads)
    assert dies(train_and_die, base, dataset, tmp_path / "broken")
    assert not (tmp_path / "broken" / "out").exists()
    train(base, dataset, tmp_path / "broken")
    assert files(tmp_path / "broken" / "out") == files(tmp_path / "unbroken" / "out")


def test_linear_probe_leaves_the_encoder_as_it_was(tmp_path, base, dataset):
    metrics = train(base, dataset, tmp_path, CONFIG.model_copy(update={"method": "linear_probe"}))
    assert metrics["validation_accuracy"] > 0.4
    body, before = SentenceClassifier.load(tmp_path / "out").body, SentenceClassifier.from_base(base, 2).body
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in body.state_dict().items())


def test_frozen_word_embeddings_stay_as_they_were(tmp_path, base, dataset):
    train(base, dataset, tmp_path, CONFIG.model_copy(update={"epochs": 1, "freeze_words": True}))
    trained, before = (
        SentenceClassifier.load(tmp_path / "out").body,
        SentenceClassifier.from_base(base, 2).body,
    )
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(trained.state_dict()[name], before.state_dict()[name])


def test_labels_without_out_of_scope_are_learned(tmp_path, base):
    dataset = write_dataset(tmp_path / "set", out_of_scope=False)
    metrics = train(base, dataset, tmp_path, CONFIG.model_copy(update={"epochs": 1}))
    assert "validation_out_of_scope_auroc" not in metrics
    assert load_info(tmp_path / "out").out_of_scope is None


@pytest.mark.parametrize("labels", [[0, 1, 2, 0, 1, 2], [0, 2, 2, 0, 2, 2]], ids=["three", "two of three"])
def test_probe_separates_separable_vectors_and_rules_unseen_labels_out(labels):
    vectors = np.eye(3, 4, dtype=np.float32)[labels]
    head = torch.nn.Linear(4, 3)
    probe(head, vectors, np.array(labels), 30.0)
    logits = head(torch.from_numpy(vectors)).detach().numpy()
    assert (logits.argmax(axis=1) == labels).all()
    unseen = sorted({0, 1, 2} - set(labels))
    assert (logits[:, unseen] < logits.max(axis=1, keepdims=True) - 5).all()


def test_two_labels_get_the_probabilities_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    vectors, labels = random.normal(size=(40, 4)).astype(np.float32), np.arange(40) % 2
    head = torch.nn.Linear(4, 2)
    probe(head, vectors, labels, 1.0)
    ours = torch.softmax(head(torch.from_numpy(vectors)), dim=1).detach().numpy()
    theirs = LogisticRegression(C=1.0, max_iter=500).fit(vectors, labels).predict_proba(vectors)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("max_length", [None, 65])
def test_a_length_that_the_encoder_has_no_positions_for_is_refused(tmp_path, base, dataset, max_length):
    with pytest.raises(ConfigError, match="Give --train"):
        train(base, dataset, tmp_path, CONFIG.model_copy(update={"max_length": max_length}))


def test_one_label_alone_is_refused(tmp_path, base):
    import pyarrow as pa
    import pyarrow.parquet as pq

    dataset = write_dataset(tmp_path / "set")
    table = pa.table({"text": ["a", "b"], "label": ["travel", "travel"]})
    pq.write_table(table, dataset / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(DataError, match="1 label"):
        train(base, dataset, tmp_path)


def test_a_base_model_that_is_not_there_is_refused(tmp_path, dataset):
    with pytest.raises(ArtifactError):
        train(tmp_path / "nothing", dataset, tmp_path)
