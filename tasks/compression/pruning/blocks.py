"""Matrices as grids of blocks, and the choice of exactly so many blocks as a sparsity leaves.

A block of 1 x 1 is a weight: unstructured pruning is the case of the smallest block.
"""

from collections.abc import Mapping

import torch

from infra.errors import ConfigError
from tasks.compression.pruning.config import Scope

Block = tuple[int, int]


def grid_of(shape: tuple[int, int] | torch.Size, block: Block) -> tuple[int, int]:
    """Rows and columns of blocks in a matrix of `shape`; raises ConfigError when blocks do not fill it."""
    rows, columns = shape
    if rows % block[0] or columns % block[1]:
        raise ConfigError(
            f"a matrix of {rows} x {columns} cannot be cut into blocks of {block[0]} x {block[1]}: expected "
            "divisors. Give other block_rows and block_columns."
        )
    return rows // block[0], columns // block[1]


def block_means(values: torch.Tensor, block: Block) -> torch.Tensor:
    """Mean of each block of `values` float [rows, columns], float [grid rows, grid columns]."""
    rows, columns = grid_of(values.shape, block)
    return values.reshape(rows, block[0], columns, block[1]).mean(dim=(1, 3))


def expand_mask(grid: torch.Tensor, block: Block) -> torch.Tensor:
    """Each entry of `grid` [grid rows, grid columns] for all weights of its block, [rows, columns]."""
    return grid.repeat_interleave(block[0], dim=0).repeat_interleave(block[1], dim=1)


def largest(scores: Mapping[str, torch.Tensor], sparsity: float, scope: Scope) -> dict[str, torch.Tensor]:
    """Masks, bool as the grids of `scores`, that keep the blocks of largest score: round((1 - sparsity) n) of n.

    `matrix` chooses so many in each grid, `global` in all of them together. Of equal scores the first is kept.
    """
    if scope == "matrix":
        return {name: _largest(grid.flatten(), sparsity).reshape(grid.shape) for name, grid in scores.items()}
    joined = _largest(torch.cat([grid.flatten() for grid in scores.values()]), sparsity)
    parts = joined.split([grid.numel() for grid in scores.values()])
    return {name: part.reshape(grid.shape) for (name, grid), part in zip(scores.items(), parts, strict=True)}


def _largest(scores: torch.Tensor, sparsity: float) -> torch.Tensor:
    count = round((1 - sparsity) * len(scores))
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    # Selection, not sorting: movement chooses among millions at every step, ten times as quickly.
    bound = scores.kthvalue(len(scores) - count + 1).values
    kept, equal = scores > bound, scores == bound
    return kept | (equal & (equal.cumsum(0) <= count - kept.sum()))
