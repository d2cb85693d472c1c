"""Distil a masked language model in pre-training: a student of some of its layers reads packed text beside it."""

from collections.abc import Mapping
from pathlib import Path

from tasks.compression.distillation.language_model.config import DistillLmConfig
from tasks.compression.distillation.language_model.objective import DistillLmObjective
from tasks.compression.distillation.language_model.student import begin_student, sizes_of
from tasks.models.loading import load_tokenizer
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.loop import Observe
from tasks.training.masked_lm.adapt import freeze_lower, read_text, train_masked_lm


def distill_lm(
    config: DistillLmConfig,
    teacher_dir: Path,
    packed_dir: Path,
    frozen_dir: Path,
    output_dir: Path,
    work_dir: Path,
    log: Observe,
) -> Mapping[str, float]:
    """Train a student of the masked language model in `teacher_dir` on the packed training text, and write it.

    `frozen_dir` has the validation's masks, which pick the best weights. `work_dir` keeps the loop's checkpoints: called again
    after a kill, it goes on and writes the same bytes.

    Returns what `adapt` does, and `layers` and `parameters` of the student.

    Raises:
        ArtifactError: teacher, tokens or masks are damaged, or the teacher has no head.
        ConfigError: the teacher has not the layers that are asked for, more layers are to be frozen than the student has,
            or no budget is set.
        DataError: the text does not fill one block.
    """
    teacher, tokenizer = MaskedLanguageModel.load(teacher_dir), load_tokenizer(teacher_dir)
    student, given = begin_student(config.student, teacher), read_text(packed_dir, frozen_dir)
    blocks = given.packed.blocks(given.length)
    objective = DistillLmObjective(
        blocks, config.masking, given.vocabulary, config, teacher, config.optimizer
    )
    freeze_lower(student, config.freeze_layers)
    objective.settle(student)
    found = train_masked_lm(student, tokenizer, objective, config, given, output_dir, work_dir, log)
    return {**found, **sizes_of(student)}
