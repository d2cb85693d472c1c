"""The student before training: chosen layers of the teacher, with its embeddings and its head."""

import copy
from collections.abc import Mapping
from pathlib import Path

import torch

from infra.errors import ConfigError
from tasks.compression.distillation.initialise import kept_weights
from tasks.compression.distillation.language_model.config import StudentConfig
from tasks.compression.distillation.language_model.distilbert import as_distilbert, fits_distilbert
from tasks.models.architecture import architecture_of
from tasks.models.lm_heads import links_of
from tasks.models.loading import load_tokenizer
from tasks.models.masked_lm import MaskedLanguageModel


def begin_student(config: StudentConfig, teacher: MaskedLanguageModel) -> MaskedLanguageModel:
    """The student as it begins, in evaluation mode: a DistilBERT where the teacher is a BERT that can be one.

    Raises ConfigError for layers that the teacher has not, or are not in their order, and for a teacher whose layers are
    not known here.
    """
    of = len(architecture_of(teacher.body).layers_of(teacher.body))
    layers = chosen_layers(config.layers, of)
    with torch.random.fork_rng():  # every model is made with random weights, whatever it is given then
        student = with_layers(teacher, layers)
        if fits_distilbert(student):
            student = as_distilbert(student)
        if config.begin == "random":
            torch.manual_seed(config.seed)
            student = MaskedLanguageModel.from_config(student.model.config)
    return student.eval()


def chosen_layers(asked: tuple[int, ...] | None, of: int) -> tuple[int, ...]:
    """Which of a teacher's `of` layers the student has; raises ConfigError for those that it cannot have.

    Unset: "one layer out of two" (Sanh et al. 2019, section 2), which are 0, 2 and 4 of 6. Their script for BERT-base has
    0, 2, 4, 7, 9 and 11.
    """
    layers = tuple(range(0, of, 2)) if asked is None else asked
    if not layers or list(layers) != sorted({*layers} & {*range(of)}):
        raise ConfigError(
            f"layers is {', '.join(map(str, layers)) or 'empty'}: expected some of the teacher's, 0 to {of - 1}, each once "
            "and in their order. Give such a list, or none for every second one."
        )
    return layers


def with_layers(teacher: MaskedLanguageModel, layers: tuple[int, ...]) -> MaskedLanguageModel:
    """A copy of `teacher` with these of its layers."""
    names, smaller = architecture_of(teacher.body), copy.deepcopy(teacher.model.config)
    smaller.update({names.depth: len(layers)})
    student = MaskedLanguageModel.from_config(smaller)
    student.body.load_state_dict(kept_weights(teacher.body.state_dict(), names, layers))
    for own, given in zip(links_of(student.model), links_of(teacher.model), strict=True):
        own.load_state_dict(given.state_dict())
    return student


def write_student(config: StudentConfig, teacher_dir: Path, output_dir: Path) -> Mapping[str, float]:
    """Write the student as it begins; returns how many `layers` and `parameters` it has.

    Raises ArtifactError when the teacher is damaged or has no head, ConfigError as `begin_student` does.
    """
    student = begin_student(config, MaskedLanguageModel.load(teacher_dir))
    student.save(output_dir, load_tokenizer(teacher_dir))
    return sizes_of(student)


def sizes_of(student: MaskedLanguageModel) -> dict[str, float]:
    """`layers` and `parameters`, those of the head too."""
    layers = len(architecture_of(student.body).layers_of(student.body))
    return {"layers": layers, "parameters": sum(value.numel() for value in student.parameters())}
