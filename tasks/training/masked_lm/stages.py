"""Masked language models: freeze the evaluation's masks, give an encoder a head, adapt.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import CheckpointRef, MasksRef, TokensRef
from tasks.training.masked_lm.config import AdaptConfig, AverageConfig, FrozenConfig, HeadConfig
from tasks.training.masked_lm.section import READS, adapted_section, averaged_section, headed_section


@stage(version=1, output=MasksRef)
def freeze_masks(run: StageRun, config: FrozenConfig, tokens: TokensRef) -> Metrics:
    """Hide tokens of the test and the validation split, once, for every model that is evaluated."""
    from tasks.training.masked_lm.freeze import freeze_splits

    return freeze_splits(config, run.path(tokens), run.output_dir)


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=headed_section, reads=READS)
def give_head(
    run: StageRun, config: HeadConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> Metrics:
    """An encoder with a head for masked language modelling, trained on general text while the encoder stays."""
    from tasks.training.masked_lm.adapt import give_head as give

    paths = run.path(base), run.path(tokens), run.path(masks)
    return give(config, *paths, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=1, output=CheckpointRef, process=True, distributed=True, section=adapted_section, reads=READS)
def adapt(
    run: StageRun, config: AdaptConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> Metrics:
    """A masked language model that has read the text of a domain."""
    from tasks.training.masked_lm.adapt import adapt as train

    paths = run.path(base), run.path(tokens), run.path(masks)
    return train(config, *paths, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=1, output=CheckpointRef, process=True, section=averaged_section, reads=READS)
def average_weights(
    run: StageRun, config: AverageConfig, before: CheckpointRef, after: CheckpointRef
) -> Metrics:
    """A checkpoint between a model and the adapted one."""
    from tasks.training.masked_lm.average import average

    average(config, run.path(before), run.path(after), run.output_dir)
    return {}
