"""The student: a few layers of the teacher, trained to give the teacher's vectors and logits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from infra.errors import ArtifactError
from tasks.compression.distillation.config import DistillConfig, LossConfig
from tasks.compression.distillation.importance import teacher_importance
from tasks.compression.distillation.initialise import given_length, student_from_teacher
from tasks.compression.distillation.intermediate_losses import IntermediateTerms
from tasks.compression.distillation.losses import cosine_distance, cross_entropy, softened_kl
from tasks.compression.distillation.outputs import TeacherOutputs, read_teacher_outputs
from tasks.compression.distillation.vocabulary import Vocabulary, student_vocabulary
from tasks.formats import dataset
from tasks.formats.checkpoint import load_info
from tasks.models.batching import encode
from tasks.models.embedding import factorise, word_table
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop import Batch, Lesson, Log, Loss, fit
from tasks.training.validation import validation


class Sources(NamedTuple):
    """The folders that a student is made from."""

    teacher: Path  # a checkpoint
    outputs: Path  # the teacher's answers, as `write_teacher_outputs` writes them
    tokenizer: Path  # the student's; with `kept_ids.npy` where its vocabulary is a part of the teacher's
    dataset: Path  # curated; its validation split picks the best epoch


def train_student(
    config: DistillConfig, sources: Sources, output_dir: Path, work_dir: Path, log: Log
) -> Mapping[str, float]:
    """Distil a teacher into a student and write the student's checkpoint to `output_dir`.

    `work_dir` keeps the loop's checkpoints: called again after a kill, it goes on and writes the same bytes.

    Returns:
        The validation metrics of the best epoch, `best_epoch`, `steps` and `parameters`.

    Raises:
        ConfigError: a field of the student's shape is unset or more than the teacher has, or terms of the loss do not
            fit the student.
        ArtifactError: an input is damaged, or the outputs are another teacher's.
    """
    max_length = given_length(config.max_length, "distill")
    info, held_out = dataset.load_info(sources.dataset), dataset.load_split(sources.dataset, "validation")
    outputs, written = read_teacher_outputs(sources.outputs), load_info(sources.teacher)
    tokenizer = load_tokenizer(sources.tokenizer)
    teacher, teacher_tokenizer = SentenceClassifier.load(sources.teacher), load_tokenizer(sources.teacher)
    require_outputs_of(teacher, outputs, sources.outputs)
    vocabulary = student_vocabulary(sources.tokenizer, tokenizer, word_table(teacher.body), teacher_tokenizer)
    importance = None
    if config.importance == "taylor":
        importance = teacher_importance(teacher, teacher_tokenizer, outputs, max_length)
    student = student_from_teacher(teacher, config, vocabulary.rows, tokenizer.pad_token_id, importance)
    rows = encode(tokenizer, outputs.texts, max_length)
    _prepare_embeddings(student, config, vocabulary, rows)
    # Without dropout torch's fused attention has a backward pass on the CPU that doubles the time of a short text.
    student.body.set_attn_implementation("eager")
    loss = distillation_loss(config, outputs)
    inner = None
    if config.inner.wanted:
        inner = IntermediateTerms(config.inner, student, teacher, vocabulary.teacher_ids)
        loss = inner.added_to(loss)
    validate = validation(held_out, info, tokenizer, max_length, config.mixed_precision)
    progress = fit(student, Lesson(rows, tokenizer.pad_token_id, loss, validate), config, work_dir, log)
    if inner is not None:
        inner.remove()
    student.save(output_dir, tokenizer, written.model_copy(update={"max_length": max_length}))
    parameters = sum(value.numel() for value in student.parameters())
    counts = {"best_epoch": progress.best_epoch, "steps": progress.step, "parameters": parameters}
    return progress.best_metrics | counts


def distillation_loss(config: LossConfig, outputs: TeacherOutputs) -> Loss[SentenceClassifier]:
    """The loss of a batch: alpha CE + (1 - alpha) T^2 KL + beta (1 - cosine)."""
    labels, vectors, logits = (torch.from_numpy(np.array(value)) for value in outputs[1:])

    def loss(model: SentenceClassifier, batch: Batch) -> torch.Tensor:
        answer, rows = model(batch.input_ids, batch.attention_mask), batch.rows.cpu()
        device = answer.logits.device
        hard = cross_entropy(answer.logits.float(), labels[rows].to(device))
        soft = softened_kl(answer.logits.float(), logits[rows].to(device), config.temperature)
        apart = cosine_distance(answer.vectors.float(), vectors[rows].to(device))
        return config.alpha * hard + (1 - config.alpha) * soft + config.beta * apart

    return loss


def require_outputs_of(model: SentenceClassifier, outputs: TeacherOutputs, folder: Path) -> None:
    """Raise ArtifactError when `outputs`, read from `folder`, have not the shapes of what `model` gives."""
    vectors, logits = outputs.vectors.shape[1], outputs.logits.shape[1]
    if (vectors, logits) != (model.head.in_features, model.head.out_features):
        raise ArtifactError(
            f"{folder} has vectors of {vectors} and {logits} logits: expected the teacher's {model.head.in_features} and "
            f"{model.head.out_features}. Run teacher_outputs with this teacher."
        )


def _prepare_embeddings(
    student: SentenceClassifier,
    config: DistillConfig,
    vocabulary: Vocabulary,
    rows: Sequence[Sequence[int]],
) -> None:
    """Freeze the embeddings where asked to; factorised ones learn, for the product is not what the teacher had."""
    # The rows of a new vocabulary are a first guess: they have to learn.
    frozen = config.freeze_embeddings and vocabulary.inherited
    student.body.get_submodule("embeddings").requires_grad_(not frozen)
    if config.embedding_rank is not None:
        counts = np.bincount(np.concatenate(rows), minlength=len(vocabulary.rows)) + 1
        factorise(student.body, config.embedding_rank, torch.from_numpy(counts))
