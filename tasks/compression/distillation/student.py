"""The student: a few layers of the teacher, trained to give the teacher's vectors and logits."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from infra.errors import ArtifactError
from tasks.compression.distillation.config import DistillConfig
from tasks.compression.distillation.importance import teacher_importance
from tasks.compression.distillation.initialise import given_length, student_from_teacher
from tasks.compression.distillation.intermediate_losses import IntermediateTerms
from tasks.compression.distillation.objective import DistillationObjective
from tasks.compression.distillation.outputs import TeacherOutputs, read_teacher_outputs
from tasks.compression.distillation.vocabulary import Vocabulary, student_vocabulary
from tasks.formats import dataset
from tasks.formats.checkpoint import load_info
from tasks.formats.token_shards import TokenShards
from tasks.models.batching import encode_to_disk
from tasks.models.embedding import factorise, word_table
from tasks.models.loading import load_tokenizer
from tasks.models.model import SentenceClassifier
from tasks.training.loop.loop import Observe
from tasks.training.milestones import Milestones, move_milestones
from tasks.training.text_objective import TextRows, fit_texts
from tasks.training.validation import validation


class Sources(NamedTuple):
    """The folders that a student is made from."""

    teacher: Path  # a checkpoint
    outputs: Path  # the teacher's answers, as `write_teacher_outputs` writes them
    tokenizer: Path  # the student's; with `kept_ids.npy` where its vocabulary is a part of the teacher's
    dataset: Path  # curated; its validation split picks the best epoch


def train_student(
    config: DistillConfig, sources: Sources, output_dir: Path, work_dir: Path, log: Observe
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
    rows = encode_to_disk(tokenizer, outputs.texts, max_length, work_dir)
    _prepare_embeddings(student, config, vocabulary, rows)
    # Without dropout torch's fused attention has a backward pass on the CPU that doubles the time of a short text.
    student.body.set_attn_implementation("eager")
    inner = None
    if config.inner.wanted:
        inner = IntermediateTerms(config.inner, student, teacher, vocabulary.teacher_ids)
    texts = TextRows.asked(rows, tokenizer.pad_token_id, config)
    objective = DistillationObjective(texts, outputs, config, inner)
    validate = validation(held_out, info, tokenizer, max_length, config.mixed_precision)
    said = written.model_copy(update={"max_length": max_length})
    kept = Milestones(config.milestone_every, partial(student.save, tokenizer=tokenizer, info=said))
    progress = fit_texts(student, objective, config, validate, work_dir, log, kept)
    if inner is not None:
        inner.remove()
    move_milestones(work_dir, output_dir)
    student.save(output_dir, tokenizer, said)
    parameters = sum(value.numel() for value in student.parameters())
    counts = {"best_epoch": progress.best_epoch, "steps": progress.step, "parameters": parameters}
    return progress.best_metrics | counts


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
    rows: TokenShards,
) -> None:
    """Freeze the embeddings where asked to; factorised ones learn, for the product is not what the teacher had."""
    # The rows of a new vocabulary are a first guess: they have to learn.
    frozen = config.freeze_embeddings and vocabulary.inherited
    student.body.get_submodule("embeddings").requires_grad_(not frozen)
    if config.embedding_rank is not None:
        counts = np.bincount(rows.tokens, minlength=len(vocabulary.rows)) + 1
        factorise(student.body, config.embedding_rank, torch.from_numpy(counts))
