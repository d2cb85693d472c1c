"""A student pruned while it learns, and the other shapes that distillation can give it."""

import pytest
import torch

from infra.errors import ArtifactError, DataError
from infra.store.fingerprint import canonical
from tasks.compression.distillation.config import DistillConfig, IntermediateLossConfig, PruneConfig
from tasks.compression.distillation.importance import teacher_importance
from tasks.compression.distillation.outputs import read_teacher_outputs, write_teacher_outputs
from tasks.compression.distillation.prune import PruneSources, prune_checkpoint
from tasks.compression.distillation.student import Sources, train_student
from tasks.compression.pruning.sparsity import sparsity_of
from tasks.generation.config import AugmentConfig
from tasks.models.heads import kept_heads
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop.checkpoint import load_checkpoint
from tests.tasks.models.tiny_encoder import tiny_tokenizer, write_dataset, write_teacher

SHAPE = {"layers": 2, "intermediate_size": 32, "max_length": 32}
TRAINING = {"epochs": 1, "learning_rate": 3e-3, "batch_size": 16, "mixed_precision": "no"}
CONFIG = DistillConfig(**SHAPE, **TRAINING)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    teacher, dataset = write_teacher(folder / "teacher"), write_dataset(folder / "set")
    tiny_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "outputs").mkdir()
    write_teacher_outputs(AugmentConfig(copies=1, mixed_precision="no"), teacher, dataset, folder / "outputs")
    return Sources(teacher, folder / "outputs", folder / "tokenizer", dataset)


def silent(metrics, step):
    """An observer that looks away."""


def distil(sources, folder, **changed):
    metrics = train_student(
        CONFIG.model_copy(update=changed), sources, folder / "out", folder / "work", silent
    )
    return SentenceClassifier.load(folder / "out"), metrics


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_student_with_fewer_heads_stays_so_through_training_and_loading(tmp_path, sources):
    student, metrics = distil(sources, tmp_path, heads=2)
    assert all(len(heads) == 2 for heads in kept_heads(student.body))
    assert student.body.encoder.layer[0].attention.self.query.weight.shape == (16, 32)
    assert metrics["parameters"] == sum(value.numel() for value in student.parameters())


def test_factorised_embeddings_learn(tmp_path, sources):
    student, _ = distil(sources, tmp_path, embedding_rank=8)
    assert student.body.get_input_embeddings().rows.weight.shape == (32, 8)
    start, _ = distil(sources, tmp_path / "start", embedding_rank=8, learning_rate=1e-12)
    trained = load_checkpoint(tmp_path / "work").tensors
    learned = {name for name in trained if name.startswith("model/body.embeddings")}
    assert learned == {f"model/body.embeddings.word_embeddings.{part}.weight" for part in ("rows", "basis")}
    for name in learned:
        assert not torch.allclose(trained[name], start.state_dict()[name.removeprefix("model/")], atol=1e-4)


def test_inner_terms_change_what_is_learned_and_leave_nothing_behind(tmp_path, sources):
    inner = IntermediateLossConfig(relations=1.0, relation_heads=4, hidden=1.0)
    plain, _ = distil(sources, tmp_path / "plain")
    student, metrics = distil(sources, tmp_path / "inner", inner=inner)
    assert student.state_dict().keys() == plain.state_dict().keys()
    assert metrics["parameters"] == sum(value.numel() for value in plain.parameters())
    last = "body.encoder.layer.1.attention.self.query.weight"
    assert not torch.equal(student.state_dict()[last], plain.state_dict()[last])


def test_terms_of_no_weight_give_the_bytes_of_the_plain_loss(tmp_path, sources):
    distil(sources, tmp_path / "plain")
    distil(
        sources, tmp_path / "zero", inner=IntermediateLossConfig(relation_heads=7, hidden_distance="cosine")
    )
    assert files(tmp_path / "zero") == files(tmp_path / "plain")


def test_fields_added_to_the_stage_are_not_in_the_key_of_the_default():
    added = {"heads", "importance", "embedding_rank", "inner"}
    assert not added & canonical(DistillConfig()).keys()
    assert canonical(DistillConfig(heads=2)).keys() & added == {"heads"}


def test_heads_and_units_can_be_chosen_by_what_the_labels_loss_loses(tmp_path, sources):
    student, _ = distil(sources, tmp_path, heads=1, importance="taylor")
    teacher = SentenceClassifier.load(sources.teacher)
    outputs = read_teacher_outputs(sources.outputs)
    found = teacher_importance(teacher, load_tokenizer(sources.teacher), outputs, 32)
    best = [int(found.heads[layer].argmax()) for layer in (0, 2)]
    assert kept_heads(student.body) == ((best[0],), (best[1],))


def test_importance_needs_a_label(sources):
    teacher, outputs = SentenceClassifier.load(sources.teacher), read_teacher_outputs(sources.outputs)
    with pytest.raises(DataError, match="no text of the teacher's outputs has a label"):
        teacher_importance(
            teacher, load_tokenizer(sources.teacher), outputs._replace(labels=outputs.labels * 0 - 1), 32
        )


@pytest.mark.parametrize("method", ["magnitude", "movement"])
def test_a_pruned_checkpoint_has_its_zeros_baked_in_and_is_the_same_bytes_each_time(
    tmp_path, sources, method
):
    config = PruneConfig(**TRAINING, method=method, sparsity=0.75, every=1)
    given = PruneSources(sources.teacher, sources.outputs, sources.dataset)
    metrics = [
        prune_checkpoint(config, given, tmp_path / name / "out", tmp_path / name / "work", silent)
        for name in "ab"
    ]
    pruned, before = SentenceClassifier.load(tmp_path / "a" / "out"), SentenceClassifier.load(sources.teacher)
    assert sparsity_of(pruned.body) == metrics[0]["sparsity"] == pytest.approx(0.75, abs=1e-4)
    assert pruned.state_dict().keys() == before.state_dict().keys()
    words = "body.embeddings.word_embeddings.weight"
    assert torch.equal(pruned.state_dict()[words], before.state_dict()[words])
    assert files(tmp_path / "a" / "out") == files(tmp_path / "b" / "out")


def test_outputs_of_another_shape_are_refused(tmp_path, sources):
    other = write_teacher(tmp_path / "other", labels=("a", "b", "c"))
    given = PruneSources(other, sources.outputs, sources.dataset)
    with pytest.raises(ArtifactError, match="with this teacher"):
        prune_checkpoint(PruneConfig(**TRAINING), given, tmp_path / "out", tmp_path / "work", silent)
