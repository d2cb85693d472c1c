"""Masked language models: freeze the evaluation's masks, show the training's, give an encoder a head, adapt.

Domain imports are inside the stages: a cached run never pays for importing torch.
"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import CheckpointRef, MasksRef, ReportRef, TokensRef
from tasks.formats.report_file import REPORT_FILE
from tasks.training.masked_lm.config import (
    AdaptConfig,
    AverageConfig,
    ExamplesConfig,
    FrozenConfig,
    HeadConfig,
)
from tasks.training.masked_lm.section import (
    READS,
    adapted_section,
    averaged_section,
    examples_section,
    headed_section,
)


@stage(version=1, output=MasksRef)
def freeze_masks(run: StageRun, config: FrozenConfig, tokens: TokensRef) -> Metrics:
    """Hide tokens of the test and the validation split, once, for every model that is evaluated."""
    from tasks.training.masked_lm.freeze import freeze_splits

    return freeze_splits(config, run.path(tokens), run.output_dir)


@stage(version=1, output=ReportRef, section=examples_section, reads=(REPORT_FILE,))
def show_masks(run: StageRun, config: ExamplesConfig, model: CheckpointRef, tokens: TokensRef) -> Metrics:
    """A few blocks of text as a training sees them, by the tokenizer that packed them."""
    from tasks.training.masked_lm.examples import show_masks as show

    return show(config, run.path(model), run.path(tokens), run.output_dir)


@stage(version=2, output=CheckpointRef, process=True, distributed=True, section=headed_section, reads=READS)
def give_head(
    run: StageRun, config: HeadConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> Metrics:
    """An encoder with a head for masked language modelling, trained on general text while the encoder stays."""
    from tasks.training.masked_lm.adapt import give_head as give

    paths = run.path(base), run.path(tokens), run.path(masks)
    return give(config, *paths, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=2, output=CheckpointRef, process=True, distributed=True, section=adapted_section, reads=READS)
def adapt(
    run: StageRun, config: AdaptConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> Metrics:
    """A masked language model that has read the text of a domain."""
    from tasks.training.masked_lm.adapt import adapt as train

    paths = run.path(base), run.path(tokens), run.path(masks)
    return train(config, *paths, run.output_dir, run.work_dir, run.log_metrics)


@stage(version=2, output=CheckpointRef, section=averaged_section, reads=READS)
def average_weights(
    run: StageRun, config: AverageConfig, before: CheckpointRef, after: CheckpointRef
) -> Metrics:
    """A checkpoint between a model and the adapted one."""
    from tasks.training.masked_lm.average import average

    average(config, run.path(before), run.path(after), run.output_dir)
    return {}
