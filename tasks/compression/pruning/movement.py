"""Movement pruning: the weights go that training moves towards zero, however large they are.

Sanh, Wolf & Rush 2020, Movement Pruning: Adaptive Sparsity by Fine-Tuning, sections 3 and 4. Each weight (or block:
Lagunas et al. 2021, Block Pruning for Faster Transformers) has a score S that is learned. The forward pass computes with
W' = W * M(S), where M keeps the k largest scores (hard) or those with sigmoid(S) > tau (soft). M has no gradient, so the
backward pass takes it for the identity (straight-through, Bengio et al. 2013), which gives

    dL/dS = dL/dW' * W

and S is the sum of what the gradient steps would have moved each weight away from zero.
"""

import math
from collections.abc import Sequence

import torch
from torch import nn

from tasks.compression.pruning.blocks import Block, expand_mask, grid_of

CONFIDENT = 0.9  # sigmoid of the soft variant's first scores: everything is kept until the penalty is felt


def straight_through(kept: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """The mask `kept`, bool, as float of the same shape, with the gradient of `scores`."""
    return kept + (scores - scores.detach())


class MovementMask(nn.Module):
    """A weight's parametrization with a learned score for each block: `scores` float [grid], `kept` bool [grid]."""

    kept: torch.Tensor

    def __init__(self, weight: torch.Tensor, block: Block, start: float = 0.0) -> None:
        super().__init__()
        self.block = block
        grid = grid_of(weight.shape, block)
        self.scores = nn.Parameter(torch.full(grid, start, device=weight.device))
        self.register_buffer("kept", torch.ones(grid, dtype=torch.bool, device=weight.device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """W * M(S): the gradient of a score is that of the weights of its block times the weights, summed."""
        return weight * expand_mask(straight_through(self.kept, self.scores), self.block)

    def block_scores(self, weight: torch.Tensor) -> torch.Tensor:
        """The learned scores, float [grid]; how large the unmasked `weight` is does not count."""
        return self.scores.detach()


def soft_start() -> float:
    """The score that all weights of the soft variant begin with."""
    return math.log(CONFIDENT / (1 - CONFIDENT))


def above_threshold(scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """The soft variant's mask, bool: sigmoid(S) > tau."""
    return scores.detach().sigmoid() > threshold


def score_penalty(scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """The soft variant's regulariser: the mean of sigmoid(S) over all scores of all matrices (section 4)."""
    return torch.cat([part.flatten() for part in scores]).sigmoid().mean()
