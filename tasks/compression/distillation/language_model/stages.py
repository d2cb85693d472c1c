"""Distil a masked language model: the student as it begins, and as it has learned from its teacher.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.compression.distillation.language_model.config import DistillLmConfig, StudentConfig
from tasks.compression.distillation.language_model.section import READS, begun_section, distilled_section
from tasks.formats.kinds import CheckpointRef, MasksRef, TokensRef


@stage(version=1, output=CheckpointRef, section=begun_section, reads=READS)
def begin_student(run: StageRun, config: StudentConfig, teacher: CheckpointRef) -> Metrics:
    """A masked language model of some of its teacher's layers, undistilled."""
    from tasks.compression.distillation.language_model.student import write_student

    return write_student(config, run.path(teacher), run.output_dir)


@stage(
    version=2, output=CheckpointRef, process=True, distributed=True, section=distilled_section, reads=READS
)
def distill_lm(
    run: StageRun, config: DistillLmConfig, teacher: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> Metrics:
    """A masked language model of some of its teacher's layers that has read text beside it."""
    from tasks.compression.distillation.language_model.distil import distill_lm as distil

    paths = run.path(teacher), run.path(tokens), run.path(masks)
    return distil(config, *paths, run.output_dir, run.work_dir, run.log_metrics)
