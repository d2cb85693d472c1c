"""The masks of all matrices of an encoder while it trains: put on, chosen anew as the schedule goes, baked in."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import nn
from torch.nn.utils import parametrize

from tasks.compression.pruning.blocks import largest
from tasks.compression.pruning.config import PruningConfig
from tasks.compression.pruning.magnitude import MagnitudeMask
from tasks.compression.pruning.movement import MovementMask, above_threshold, score_penalty, soft_start
from tasks.compression.pruning.schedule import CubicSchedule
from tasks.models.architecture import architecture_of
from tasks.models.model import SentenceClassifier

NAME = "pruning"
Mask = MagnitudeMask | MovementMask


class Masked(NamedTuple):
    """A matrix, its weight without the mask, and the mask."""

    matrix: nn.Linear
    weight: nn.Parameter
    mask: Mask


class Masks(nn.Module):
    """Part of the model while it is pruned, so that a checkpoint of the training holds its state.

    `step` int64 []: the step that the masks are of; -1 before the first.
    """

    step: torch.Tensor

    def __init__(self, model: SentenceClassifier, config: PruningConfig, schedule: CubicSchedule) -> None:
        """Put a mask that cuts nothing yet on every matrix of the layers of `model`.

        Raises ConfigError when the config's blocks do not fill a matrix.
        """
        super().__init__()
        self.config, self.schedule = config, schedule
        self.register_buffer("step", torch.tensor(-1))
        matrices = dict(architecture_of(model.body).matrices_of(model.body))
        # A plain dict, not modules of ours: they are the body's already.
        self.masked = {
            name: Masked(matrix, cast(nn.Parameter, matrix.weight), _new_mask(matrix.weight.detach(), config))
            for name, matrix in matrices.items()
        }
        for matrix, _, mask in self.masked.values():
            parametrize.register_parametrization(matrix, "weight", mask)
        model.add_module(NAME, self)

    @property
    def finished(self) -> bool:
        """Whether the schedule has come to its end."""
        return int(self.step) >= self.schedule.end

    def update(self, step: int) -> None:
        """Choose the masks of `step`, in place: magnitude when the schedule changes, movement at each step."""
        self.step.fill_(step)
        if self.config.method == "magnitude" and not self.schedule.changes_at(step):
            return
        for name, kept in self._chosen(self.schedule.at(step)).items():
            self.masked[name].mask.kept.copy_(kept)

    @property
    def penalised(self) -> bool:
        """Whether the loss has a penalty: the soft variant's."""
        return self.config.method == "soft_movement"

    def scores(self) -> list[nn.Parameter]:
        """Movement's learned scores; none for magnitude."""
        return [mask.scores for _, _, mask in self.masked.values() if isinstance(mask, MovementMask)]

    def penalty(self) -> torch.Tensor:
        """What the soft variant adds to the loss; it rises with the schedule."""
        # The cubic ramp from 0 to 1, whatever sparsities it is set to.
        risen = self.schedule._replace(initial=0.0, final=1.0).at(int(self.step))
        return self.config.penalty * risen * score_penalty(self.scores())

    def sparsity(self) -> float:
        """Share of the weights that are cut."""
        block = self.config.block_rows * self.config.block_columns
        kept = sum(int(mask.kept.sum()) * block for _, _, mask in self.masked.values())
        return 1 - kept / sum(weight.numel() for _, weight, _ in self.masked.values())

    def bake(self, model: SentenceClassifier) -> None:
        """Make the matrices of `model` plain again, with the zeros in them, and leave it."""
        for matrix, _, _ in self.masked.values():
            parametrize.remove_parametrizations(matrix, "weight", leave_parametrized=True)
        delattr(model, NAME)

    def _chosen(self, sparsity: float) -> Mapping[str, torch.Tensor]:
        scores = {name: mask.block_scores(weight.detach()) for name, (_, weight, mask) in self.masked.items()}
        if self.config.method == "soft_movement":
            return {name: above_threshold(grid, self.config.threshold) for name, grid in scores.items()}
        return largest(scores, sparsity, self.config.scope)


def _new_mask(weight: torch.Tensor, config: PruningConfig) -> Mask:
    match config.method:
        case "magnitude":
            return MagnitudeMask(weight, config.block)
        case "movement":
            return MovementMask(weight, config.block)
        case "soft_movement":
            return MovementMask(weight, config.block, soft_start())
