"""What a training tells of its steps: means since the last time, rows a second, memory."""

import resource
import time

import torch


class Seen:
    """What happened in the steps since the last time it was told."""

    def __init__(self) -> None:
        self.losses: list[dict[str, torch.Tensor]] = []
        self.norms: list[torch.Tensor] = []
        self.rows, self.since = 0, time.monotonic()

    def add(self, losses: dict[str, torch.Tensor], norm: torch.Tensor | None, rows: int) -> None:
        """Those of one step."""
        self.losses.append(losses)
        self.norms += [] if norm is None else [norm]
        self.rows += rows

    def means(self) -> tuple[list[str], torch.Tensor, float, float]:
        """Names of the terms and their means [terms], the gradient's norm, rows a second."""
        names = list(self.losses[0])
        means = torch.stack([torch.stack([one[name] for one in self.losses]).mean() for name in names])
        norm = torch.stack(self.norms).mean().item() if self.norms else 0.0
        return names, means, norm, self.rows / max(time.monotonic() - self.since, 1e-9)


def most_memory(device: torch.device) -> float:
    """The most that this process has held, in MiB: on the GPU where there is one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
