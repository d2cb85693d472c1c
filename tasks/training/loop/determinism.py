"""Same seed, same machine, same bytes: also when the run was broken off in the middle."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic() -> Iterator[None]:
    """Only deterministic kernels inside; an operation that has none is named in a warning. Restores what was
    set.
    """
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # cuBLAS asks for it, see torch's note on reproducibility.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Every value is written before it is read, so filling it with NaN first would be time lost.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def seed_step(seed: int, step: int, process: int = 0) -> None:
    """Set the random numbers (dropout) of one step of one process.

    Seeded anew at every step, they are a function of the step alone: a resumed run draws the same ones, with
    no generator state to keep.
    """
    # Large odd multipliers keep (seed, step, process) apart; torch takes any 64-bit seed.
    torch.manual_seed((seed * 0x9E3779B97F4A7C15 + step * 0x2545F4914F6CDD1D + process) % 2**63)
