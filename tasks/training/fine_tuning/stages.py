"""Train: the teacher, a pretrained sentence encoder fine-tuned on the curated rows.

Domain imports are inside the stage, here and in every task module: a cached run never pays for importing
torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.models.section import READS
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.section import teacher_section


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=teacher_section, reads=READS)
def train_teacher(run: StageRun, config: TrainConfig, base: CheckpointRef, dataset: DatasetRef) -> Metrics:
    """Linear probing, then fine-tuning, from the pinned base model."""
    from tasks.training.fine_tuning.teacher import train_teacher as train

    return train(config, run.path(base), run.path(dataset), run.output_dir, run.work_dir, run.log_metrics)
