"""What is learned, apart from how: an objective makes batches of rows and says what they cost. The loop does the rest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from infra.errors import ConfigError

OptimizerKind = Literal["adamw", "muon"]
Model = TypeVar("Model", bound=nn.Module)
Batch = TypeVar("Batch")  # a NamedTuple or mapping of tensors, whose first dimension is the row


@dataclass(frozen=True)
class Draw:
    """Where the random numbers of a row come from: its seed and how many passes over the rows came before."""

    seed: int
    epoch: int

    def random(self, row: int) -> np.random.Generator:
        """Numbers of one row in one pass: the same whatever batch, process or attempt it is in."""
        # The counter's first word counts what is drawn: a row there would have the numbers of the next one, moved by four.
        return np.random.Generator(
            np.random.Philox(key=(self.seed << 32) + self.epoch, counter=(0, 0, 0, row))
        )


class Term(NamedTuple):
    """A part of the loss of a batch: `total` [] is a *sum* over its rows or tokens, never a mean.

    The loop divides it by the term's weight over the whole step, all processes and micro-batches together, and multiplies
    the mean by `coefficient`. What is told of it is the mean before that, over `told_over` [] rows or tokens where these are
    not the weight.
    """

    total: torch.Tensor
    coefficient: float = 1.0
    told_over: torch.Tensor | None = None


class Group(NamedTuple):
    """Parameters that learn alike: at `factor` times the rate, with weight decay or without."""

    name: str
    parameters: Sequence[nn.Parameter]
    factor: float = 1.0
    decay: bool = False
    optimizer: OptimizerKind = "adamw"


class Objective(ABC, Generic[Model, Batch]):
    """What a model is trained for. Masks, made text and the like are drawn in `batch`, from `draw` alone."""

    # False where a row's loss depends on the others of its batch (in-batch negatives): then the loop refuses to split one.
    splittable = True

    @abstractmethod
    def batch(self, rows: np.ndarray, draw: Draw) -> Batch:
        """The batch of these rows, int64 [batch], on the CPU: a pure function."""

    @abstractmethod
    def weight(self, batch: Batch) -> Mapping[str, float]:
        """What each term's sum over this batch is to be divided by (rows, tokens), before the model has seen it.

        Every term is named, in every batch; 0 where it has nothing to sum here.
        """

    @abstractmethod
    def loss(self, model: Model, batch: Batch) -> Mapping[str, Term]:
        """The terms of a batch on the model's device: of those that `weight` names."""

    def groups(self, model: Model) -> Sequence[Group]:
        """Which parameters learn how. All that `requires_grad`; biases and norms do not decay: they have no scale to hold."""
        wanted = [value for value in model.parameters() if value.requires_grad]
        return (
            Group("matrices", [value for value in wanted if value.ndim > 1], decay=True),
            Group("vectors", [value for value in wanted if value.ndim < 2]),
        )

    def before_step(self, step: int) -> None:
        """Called before the forward pass of step `step`, counted from 0: masks of pruning, observers."""

    def save_memory(self, model: Model) -> None:
        """Compute activations again in the backward pass. Raises ConfigError for a model that cannot."""
        raise ConfigError(
            f"gradient_checkpointing was asked for, which {type(self).__name__} cannot do with this model: expected one of "
            "transformers that can compute its activations again, such as BERT. Leave it out."
        )


def refuse_to_split(objective: Objective[Model, Batch], processes: int, micro_batch_size: int | None) -> None:
    """Raise ConfigError when an objective that needs whole batches would get parts of them."""
    if (processes > 1 or micro_batch_size is not None) and not objective.splittable:
        raise ConfigError(
            f"{type(objective).__name__} compares the rows of a batch with each other, and {processes} processes and "
            f"micro_batch_size {micro_batch_size} would cut it: expected one process and whole batches. Leave out --launcher "
            "and micro_batch_size."
        )
