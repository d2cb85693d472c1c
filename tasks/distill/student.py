"""The student: a few layers of the teacher, trained to give the teacher's vectors and logits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from infra.errors import ArtifactError
from tasks.distill.architecture import WORDS
from tasks.distill.config import DistillConfig
from tasks.distill.initialise import student_from_teacher
from tasks.distill.losses import cosine_distance, cross_entropy, softened_kl
from tasks.distill.outputs import TeacherOutputs, read_teacher_outputs
from tasks.distill.vocabulary import student_vocabulary
from tasks.encoder.batching import encode
from tasks.encoder.checkpoint import CheckpointInfo, load_info
from tasks.encoder.loading import load_tokenizer
from tasks.encoder.model import SentenceClassifier
from tasks.labelled_text import dataset
from tasks.training.loop import Batch, Lesson, Log, Loss, fit
from tasks.training.validation import validation


def train_student(
    config: DistillConfig,
    teacher_dir: Path,
    outputs_dir: Path,
    tokenizer_dir: Path,
    dataset_dir: Path,
    output_dir: Path,
    work_dir: Path,
    log: Log,
) -> Mapping[str, float]:
    """Distil the teacher in `teacher_dir` into a student that reads the tokenizer in `tokenizer_dir`.

    Args:
        config: the student's shape, its loss and its training; nothing may be unset.
        teacher_dir: a checkpoint.
        outputs_dir: the teacher's answers, as `write_teacher_outputs` writes them.
        tokenizer_dir: the student's tokenizer, with `kept_ids.npy` where its vocabulary is a part of the
        teacher's.
        dataset_dir: the curated data set; its validation split picks the best epoch.
        output_dir: the student's checkpoint is written here.
        work_dir: keeps the loop's checkpoints: called again after a kill, it goes on and writes the same
        bytes.
        log: observer of the metrics.

    Returns:
        The validation metrics of the best epoch, `best_epoch`, `steps` and `parameters`.

    Raises:
        ConfigError: a field of the student's shape is unset or more than the teacher has.
        ArtifactError: an input is damaged, or the outputs are another teacher's.
    """
    info, held_out = dataset.load_info(dataset_dir), dataset.load_split(dataset_dir, "validation")
    outputs, written = read_teacher_outputs(outputs_dir), load_info(teacher_dir)
    tokenizer = load_tokenizer(tokenizer_dir)
    student = _initial_student(config, teacher_dir, tokenizer_dir)
    if outputs.vectors.shape[1] != student.head.in_features or outputs.logits.shape[1] != len(written.labels):
        raise ArtifactError(
            f"{outputs_dir} has vectors of {outputs.vectors.shape[1]} and {outputs.logits.shape[1]} logits: "
            f"expected the teacher's {student.head.in_features} and {len(written.labels)}. "
            "Run teacher_outputs with this teacher."
        )
    rows = encode(tokenizer, outputs.texts, config.max_length)
    held_out_rows = encode(tokenizer, held_out.texts, config.max_length)
    validate = validation(held_out, info, held_out_rows, tokenizer.pad_token_id, config.mixed_precision)
    lesson = Lesson(rows, tokenizer.pad_token_id, distillation_loss(config, outputs), validate)
    progress = fit(student, lesson, config, work_dir, log)
    cut = CheckpointInfo(
        labels=written.labels, out_of_scope=written.out_of_scope, max_length=config.max_length
    )
    student.save(output_dir, tokenizer, cut)
    parameters = sum(value.numel() for value in student.parameters())
    return progress.best_metrics | {
        "best_epoch": progress.best_epoch,
        "steps": progress.step,
        "parameters": parameters,
    }


def distillation_loss(config: DistillConfig, outputs: TeacherOutputs) -> Loss[SentenceClassifier]:
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


def _initial_student(config: DistillConfig, teacher_dir: Path, tokenizer_dir: Path) -> SentenceClassifier:
    teacher, tokenizer = SentenceClassifier.load(teacher_dir), load_tokenizer(tokenizer_dir)
    teacher_rows = teacher.body.get_parameter(WORDS).detach()
    vocabulary = student_vocabulary(tokenizer_dir, tokenizer, teacher_rows, load_tokenizer(teacher_dir))
    student = student_from_teacher(teacher, config, vocabulary.rows, tokenizer.pad_token_id)
    # The rows of a new vocabulary are a first guess: they have to learn.
    frozen = config.freeze_embeddings and vocabulary.inherited
    student.body.get_submodule("embeddings").requires_grad_(not frozen)
    return student
