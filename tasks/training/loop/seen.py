"""What a training tells of its steps: means since the last time, rows a second, memory."""

import resource
import time
from collections.abc import Callable, Iterable, Mapping

import torch

from tasks.training.loop.objective import Term


class Done:
    """What one process computed of one step: `loss` [], its share of it; `terms` [names, 2], sums and what they are over."""

    def __init__(self, names: Iterable[str], device: torch.device) -> None:
        self.names = tuple(names)
        self.loss = torch.zeros((), device=device)
        self.terms = torch.zeros((len(self.names), 2), device=device)

    def add(self, loss: torch.Tensor, terms: Mapping[str, Term], weights: Mapping[str, float]) -> None:
        """A micro-batch's."""
        self.loss += loss.detach()
        for name, term in terms.items():
            over = weights[name] if term.told_over is None else term.told_over
            pair = self.terms[self.names.index(name)]
            pair[0] += term.total.detach()
            pair[1] += over


class Seen:
    """What happened in the steps since the last time it was told. Tensors are looked at only then: a GPU need not wait."""

    def __init__(self) -> None:
        self.steps: list[Done] = []
        self.norms: list[torch.Tensor] = []
        self.rows, self.since = 0, time.monotonic()

    def add(self, done: Done, norm: torch.Tensor | None, rows: int) -> None:
        """One more."""
        self.steps.append(done)
        self.norms += [] if norm is None else [norm]
        self.rows += rows

    def told(self, summed: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
        """Mean loss of a step and mean of each term, `summed` over the processes; the gradient's norm; rows a second."""
        loss = summed(torch.stack([done.loss for done in self.steps]).mean()).item()
        sums = summed(torch.stack([done.terms for done in self.steps]).sum(dim=0)).tolist()
        terms = {
            name: total / over for name, (total, over) in zip(self.steps[0].names, sums, strict=True) if over
        }
        return {
            "train_loss": loss,
            **{f"train_{name}": value for name, value in terms.items()},
            "gradient_norm": torch.stack(self.norms).mean().item() if self.norms else 0.0,
            "rows_per_second": self.rows / max(time.monotonic() - self.since, 1e-9),
        }


def most_memory(device: torch.device) -> float:
    """The most that this process has held, in MiB: on the GPU where there is one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
