"""A tokenizer of code: learned from a corpus. (Domain imports are inside the stages: a hit never pays for them.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import DatasetRef, TokenizerRef
from tasks.tokenizers.code.config import CodeTokenizerConfig


@stage(version=1, output=TokenizerRef)
def train_code_tokenizer(run: StageRun, config: CodeTokenizerConfig, dataset: DatasetRef) -> Metrics:
    """A byte-level BPE tokenizer learned from the training split of a corpus of code."""
    from tasks.tokenizers.code.train import train_on_corpus

    return train_on_corpus(config, run.path(dataset), run.output_dir)
