"""Pack texts into token shards. (The domain is imported inside the stage: a hit never pays for it.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.data.packing.config import PackConfig, PackCorpusConfig
from tasks.data.packing.section import corpus_section, packing_section
from tasks.formats.kinds import CheckpointRef, DatasetRef, SourceRef, TokenizerRef, TokensRef
from tasks.formats.report_file import REPORT_FILE


@stage(version=1, output=TokensRef, process=True, section=packing_section, reads=(REPORT_FILE,))
def pack(
    run: StageRun,
    config: PackConfig,
    model: CheckpointRef | TokenizerRef,
    texts: DatasetRef | SourceRef,
) -> Metrics:
    """Tokenize the texts of a data set, or of pinned tables, with a model's tokenizer; a folder a split."""
    from tasks.data.packing.pack import pack_dataset, pack_tables

    if isinstance(texts, SourceRef):
        return pack_tables(config, run.path(model), texts, run.output_dir)
    return pack_dataset(config, run.path(model), run.path(texts), run.output_dir)


@stage(version=1, output=TokensRef, process=True, section=corpus_section, reads=(REPORT_FILE,))
def pack_corpus(
    run: StageRun, config: PackCorpusConfig, tokenizer: TokenizerRef, corpus: DatasetRef
) -> Metrics:
    """Tokenize a corpus of code for a causal language model; a folder a part."""
    from tasks.data.packing.corpus import pack_corpus as pack_files

    return pack_files(config, run.path(tokenizer), run.path(corpus), run.output_dir)
