"""Prune while training: an objective around another that sees to the masks before each step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.masks import Masks
from tasks.compression.pruning.schedule import plan
from tasks.models.model import SentenceClassifier
from tasks.training.loop.budget import Budget
from tasks.training.loop.checkpoint import Progress
from tasks.training.loop.loop import Evaluated, Evaluation, Observe
from tasks.training.loop.objective import Draw, Group, Term
from tasks.training.text_objective import TextObjective, fit_texts

Batch = TypeVar("Batch")
UNFINISHED = 10.0  # more than any score: an evaluation before the end of the schedule is never the best


class PrunedObjective(TextObjective[Batch]):
    """What `inner` learns, under masks that `before_step` chooses; the soft variant's penalty is a term beside."""

    def __init__(self, inner: TextObjective[Batch], masks: Masks, score_factor: float) -> None:
        super().__init__(inner.texts)
        self.inner, self.masks, self.score_factor = inner, masks, score_factor
        self.splittable = inner.splittable

    def batch(self, rows: np.ndarray, draw: Draw) -> Batch:
        """The other's."""
        return self.inner.batch(rows, draw)

    def weight(self, batch: Batch) -> Mapping[str, float]:
        """The other's, and one for the penalty: it is of the model, not of rows."""
        return {**self.inner.weight(batch), **({"penalty": 1.0} if self.masks.penalised else {})}

    def loss(self, model: SentenceClassifier, batch: Batch) -> Mapping[str, Term]:
        """The other's, and the penalty."""
        terms = self.inner.loss(model, batch)
        return {**terms, **({"penalty": Term(self.masks.penalty())} if self.masks.penalised else {})}

    def groups(self, model: SentenceClassifier) -> Sequence[Group]:
        """The other's, with movement's scores apart: they learn at their own multiple of the rate, without decay."""
        scores = self.masks.scores()
        apart = {id(value) for value in scores}
        rest = [
            group._replace(parameters=[value for value in group.parameters if id(value) not in apart])
            for group in self.inner.groups(model)
        ]
        return (*rest, Group("scores", scores, self.score_factor))

    def before_step(self, step: int) -> None:
        """Choose the masks of the step."""
        self.inner.before_step(step)
        self.masks.update(step)


def prune_in_training(
    model: SentenceClassifier,
    objective: TextObjective[Batch],
    config: PruningConfig,
    evaluation: Evaluation[SentenceClassifier],
    work_dir: Path,
    observe: Observe,
) -> Progress:
    """Train `model` in place while its weights are cut, and bake the zeros in.

    The best epoch is one at the final sparsity, and nothing stops early: the schedule has to come to its end. Killed and
    called again, it goes on and ends with the same bytes: the masks are in the loop's checkpoints.

    Raises ConfigError when no budget is set or blocks do not fill the matrices.
    """
    lengths = objective.texts.ids.lengths
    budget = Budget(config.epochs, config.steps, config.tokens)
    total = budget.to_steps(-(-len(lengths) // config.batch_size), int(lengths.sum()))
    ramp = config.ramp_begin, config.cool_down, config.every
    masks = Masks(model, config, plan(config.initial_sparsity, config.sparsity, total, *ramp))

    def evaluate(trained: SentenceClassifier) -> Evaluated:
        found = evaluation(trained)
        score = found.score if masks.finished else found.score - UNFINISHED
        shown = {"sparsity": masks.sparsity(), "validation_score": found.score}
        return Evaluated(score, found.metrics | shown)

    pruned = PrunedObjective(objective, masks, config.score_rate_factor)
    never_early = config.model_copy(update={"patience": total + 1})
    progress = fit_texts(model, pruned, never_early, evaluate, work_dir, observe)
    masks.bake(model)
    return progress
