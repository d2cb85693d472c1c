"""Cut a student without training. (Domain imports are inside the stage: a cached run never pays for importing torch.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.compression.trimming.config import SizeConfig
from tasks.compression.trimming.section import shrunk_section
from tasks.formats.kinds import CheckpointRef, DatasetRef
from tasks.models.section import READS


@stage(version=1, output=CheckpointRef, section=shrunk_section, reads=READS)
def shrink(run: StageRun, config: SizeConfig, student: CheckpointRef, dataset: DatasetRef) -> Metrics:
    """The student with fewer tokens, narrower embeddings and fewer positions."""
    from tasks.compression.trimming import shrink as size

    return size.shrink(config, run.path(student), run.path(dataset), run.output_dir)
