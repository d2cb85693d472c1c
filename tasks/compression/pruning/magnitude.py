"""Magnitude pruning: the smallest weights go.

Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks, section 3. A weight that was cut
keeps its value out of sight, and comes back should the others fall below it before the schedule ends.
"""

import torch
from torch import nn

from tasks.compression.pruning.blocks import Block, block_means, expand_mask, grid_of


class MagnitudeMask(nn.Module):
    """A weight's parametrization: float [rows, columns] to the same with zeros where `kept`, bool [grid], says."""

    kept: torch.Tensor

    def __init__(self, weight: torch.Tensor, block: Block) -> None:
        super().__init__()
        self.block = block
        grid = grid_of(weight.shape, block)
        self.register_buffer("kept", torch.ones(grid, dtype=torch.bool, device=weight.device))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The masked weight; no gradient reaches what is cut."""
        return weight * expand_mask(self.kept, self.block)

    def block_scores(self, weight: torch.Tensor) -> torch.Tensor:
        """Mean magnitude of each block of the unmasked `weight`, float [grid]."""
        return block_means(weight.abs(), self.block)
