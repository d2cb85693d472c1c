"""Tokenizer: the base model's vocabulary trimmed for the student, kept whole, or a new one.

(Domain imports are inside the stage: a hit never pays for them.)
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import CheckpointRef, DatasetRef, TokenizerRef
from tasks.tokenizers.config import TokenizerConfig
from tasks.tokenizers.section import FILE, tokenizer_section


@stage(version=1, output=TokenizerRef, section=tokenizer_section, reads=(FILE,))
def build_tokenizer(
    run: StageRun, config: TokenizerConfig, base: CheckpointRef, dataset: DatasetRef
) -> Metrics:
    """The student's tokenizer, chosen on the training split and measured on the validation split."""
    from tasks.tokenizers.build import build

    return build(config, run.path(base), run.path(dataset), run.output_dir)
