"""Prune while training: the loop as it is, with a loss that sees to the masks first."""

from pathlib import Path

import torch

from infra.errors import ConfigError
from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.masks import Masks
from tasks.compression.pruning.schedule import plan
from tasks.models.model import SentenceClassifier
from tasks.training.checkpoint import Progress
from tasks.training.loop import Batch, Lesson, Log, Validated, fit

SCORES = ".scores"  # how the names of movement's parameters end
UNFINISHED = 10.0  # more than any score: an epoch before the end of the schedule is never the best


def prune_in_training(
    model: SentenceClassifier,
    lesson: Lesson[SentenceClassifier],
    config: PruningConfig,
    work_dir: Path,
    log: Log,
) -> Progress:
    """Train `model` in place on `lesson` while its weights are cut, and bake the zeros in.

    The best epoch is one at the final sparsity, and nothing stops early: the schedule has to come to its end. Killed and
    called again, it goes on and ends with the same bytes: the masks are in the loop's checkpoints.

    Raises ConfigError when `epochs` is not set or blocks do not fill the matrices.
    """
    if config.epochs is None:
        raise ConfigError(
            "pruning.epochs is not set: expected a number of passes over the rows. Give --pruning.epochs."
        )
    total = -(-len(lesson.rows) // config.batch_size) * config.epochs
    ramp = config.ramp_begin, config.cool_down, config.every
    masks = Masks(model, config, plan(config.initial_sparsity, config.sparsity, total, *ramp))

    def loss(trained: SentenceClassifier, batch: Batch) -> torch.Tensor:
        masks.update(batch.step)
        return lesson.loss(trained, batch) + masks.penalty()

    def validate(trained: SentenceClassifier) -> Validated:
        found = lesson.validate(trained)
        score = found.score if masks.finished else found.score - UNFINISHED
        return Validated(score, found.metrics | {"sparsity": masks.sparsity()})

    rates = dict(lesson.rate_factors) | {SCORES: config.score_rate_factor}
    pruned = Lesson(lesson.rows, lesson.pad_id, loss, validate, rates)
    progress = fit(model, pruned, config.model_copy(update={"patience": config.epochs}), work_dir, log)
    masks.bake(model)
    return progress
