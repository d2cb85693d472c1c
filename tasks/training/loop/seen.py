"""What a training tells of its steps: means since the last time, rows a second, memory."""

import resource
import time
from collections.abc import Callable

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

    def told(self, summed: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
        """Means of the loss and its terms, `summed` over the processes, of the gradient's norm; rows a second."""
        names = list(self.losses[0])
        own = torch.stack([torch.stack([one[name] for one in self.losses]).mean() for name in names])
        means = summed(own).tolist()
        return {
            "train_loss": sum(means),
            **{f"train_{name}": value for name, value in zip(names, means, strict=True)},
            "gradient_norm": torch.stack(self.norms).mean().item() if self.norms else 0.0,
            "rows_per_second": self.rows / max(time.monotonic() - self.since, 1e-9),
        }


def most_memory(device: torch.device) -> float:
    """The most that this process has held, in MiB: on the GPU where there is one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
