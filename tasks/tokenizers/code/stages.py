"""A tokenizer of code: learned from a corpus, and measured.

(Domain imports are inside the stages: a hit never pays for them.)
"""

from collections.abc import Mapping

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import DatasetRef, ReportRef, TokenizerRef
from tasks.formats.report_file import REPORT_FILE
from tasks.formats.tokenizer_report import LEARNED_FILE
from tasks.tokenizers.code.config import CodeTokenizerConfig, MeasureCodeTokenizerConfig
from tasks.tokenizers.code.section import learned_section, measured_section


@stage(version=1, output=TokenizerRef, section=learned_section, reads=(LEARNED_FILE,))
def train_code_tokenizer(run: StageRun, config: CodeTokenizerConfig, dataset: DatasetRef) -> Metrics:
    """A byte-level BPE tokenizer learned from the training split of a corpus of code."""
    from tasks.tokenizers.code.train import train_on_corpus

    return train_on_corpus(config, run.path(dataset), run.output_dir)


@stage(version=1, output=ReportRef, section=measured_section, reads=(REPORT_FILE,))
def measure_code_tokenizer(
    run: StageRun,
    config: MeasureCodeTokenizerConfig,
    tokenizers: Mapping[str, TokenizerRef],
    dataset: DatasetRef,
) -> Metrics:
    """Tokenizers, `ours` among them and `gpt2` where there is one, on the test split of the corpus, side by side."""
    from tasks.tokenizers.code.measure import measure_on_corpus

    folders = {name: run.path(ref) for name, ref in tokenizers.items()}
    return measure_on_corpus(config, folders, run.path(dataset), run.output_dir)
