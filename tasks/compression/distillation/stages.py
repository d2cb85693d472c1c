"""Distil: the teacher's answers, then a student of few layers that learns them, or one whose weights are pruned.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.compression.distillation.config import DistillConfig, PruneConfig
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.distillation.section import pruned_section, student_section
from tasks.formats.kinds import CheckpointRef, DatasetRef, LogitsRef, TokenizerRef
from tasks.generation.config import AugmentConfig
from tasks.models.section import READS


@stage(version=1, output=LogitsRef, process=True)
def teacher_outputs(
    run: StageRun, config: AugmentConfig, teacher: CheckpointRef, dataset: DatasetRef
) -> Metrics:
    """The teacher's vectors and logits of training and augmented text."""
    from tasks.compression.distillation.outputs import write_teacher_outputs

    return write_teacher_outputs(config, run.path(teacher), run.path(dataset), run.output_dir)


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=student_section, reads=READS)
def distill(
    run: StageRun,
    config: DistillConfig,
    teacher: CheckpointRef,
    outputs: LogitsRef,
    tokenizer: TokenizerRef,
    dataset: DatasetRef,
) -> Metrics:
    """A student that gives the teacher's vectors and logits."""
    from tasks.compression.distillation.student import Sources, train_student

    sources = Sources(run.path(teacher), run.path(outputs), run.path(tokenizer), run.path(dataset))
    return train_student(config, sources, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=pruned_section, reads=READS)
def prune(
    run: StageRun,
    config: PruneConfig,
    student: CheckpointRef,
    outputs: LogitsRef,
    dataset: DatasetRef,
) -> Metrics:
    """The student with weights cut while it goes on learning the teacher's answers."""
    from tasks.compression.distillation.prune import PruneSources, prune_checkpoint

    sources = PruneSources(run.path(student), run.path(outputs), run.path(dataset))
    return prune_checkpoint(config, sources, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=student_section, reads=READS)
def distill_bag(
    run: StageRun,
    config: EmbeddingBagConfig,
    teacher: CheckpointRef,
    outputs: LogitsRef,
    tokenizer: TokenizerRef,
    dataset: DatasetRef,
) -> Metrics:
    """A student without layers, for the tightest budgets; exported and quantized like the other."""
    from tasks.compression.distillation.embedding_bag import train_embedding_bag
    from tasks.compression.distillation.student import Sources

    sources = Sources(run.path(teacher), run.path(outputs), run.path(tokenizer), run.path(dataset))
    return train_embedding_bag(config, sources, run.output_dir, run.work_dir, run.log_metrics)
