"""Causal language models: begin one with fresh weights, train it.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import CheckpointRef, TokenizerRef, TokensRef
from tasks.models.gpt.config import GptConfig
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.causal_lm.section import READS, fresh_section, pretrained_section


@stage(version=1, output=CheckpointRef, section=fresh_section, reads=READS)
def fresh_weights(run: StageRun, config: GptConfig, tokenizer: TokenizerRef) -> Metrics:
    """A GPT-2 that has read nothing, sized to its tokenizer."""
    from tasks.models.gpt.fresh import fresh_gpt

    return fresh_gpt(config, run.path(tokenizer), run.output_dir)


@stage(
    version=1, output=CheckpointRef, process=True, distributed=True, section=pretrained_section, reads=READS
)
def pretrain(run: StageRun, config: PretrainConfig, model: CheckpointRef, tokens: TokensRef) -> Metrics:
    """The model that has read a corpus."""
    from tasks.training.causal_lm.pretrain import pretrain as train

    paths = run.path(model), run.path(tokens)
    return train(config, *paths, run.output_dir, run.work_dir, run.log_metrics)
