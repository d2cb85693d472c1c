"""What the next tokens cost a causal language model: cross-entropy of its product with the vocabulary, in one buffer.

Of a small model this is half of a step. All logits are made by one product, in the arithmetic of its inputs, and become their
own gradient in place, some rows at a time, in float32 within the processor's cache; so the products stay large and nothing of
that size is written twice. (torch's `linear_cross_entropy` makes many small products of it, and takes longer here than all
logits in float32 do: docs/LOG.md.)
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy

IGNORED = -100  # in place of a label: nothing is asked there
ROWS = 128  # of logits that are read and written at a time
LEAST = torch.finfo(torch.float32).tiny  # a token of a smaller chance counts as one of this, 87 nats


class _SummedCost(torch.autograd.Function):
    """See `summed_cost`."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum; what is kept for the way back is the gradient of the logits."""
        logits = hidden @ weight.T
        there = labels != IGNORED
        places = labels.clamp(min=0)[:, None]
        found = torch.empty(len(labels), device=hidden.device)
        for start in range(0, len(labels), ROWS):
            rows = slice(start, start + ROWS)
            part, own = logits[rows], places[rows]
            chances = torch.softmax(part, dim=1, dtype=torch.float32)
            asked = chances.gather(1, own)
            found[rows] = asked.squeeze(1)
            part.copy_(chances)
            part.scatter_(1, own, (asked - 1).to(part.dtype))
        ctx.save_for_backward(logits, hidden, weight, there[:, None])
        return -(found.clamp_(min=LEAST).log_() * there).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Of the hidden states and of the matrix. The latter's product is quicker the other way about."""
        gradient, hidden, weight, there = ctx.saved_tensors
        factor = above.to(hidden.dtype)
        of_weight = ((hidden * there).T @ gradient).T * factor
        return (gradient @ weight) * (there * factor), of_weight, None


def summed_cost(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sum of the negative log likelihoods of `labels`, in nats, float32 [].

    Args:
        hidden: float [positions, width], in the arithmetic of the products.
        weight: float [vocabulary, width], in the same.
        labels: int64 [positions]; IGNORED where nothing is asked.
    """
    if torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad):
        return _SummedCost.apply(hidden, weight, labels)
    return costs(hidden, weight, labels).sum()


def costs(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Each position's, float32 [positions], 0 where nothing is asked; without a gradient. Some rows are in memory at a time."""
    with torch.no_grad():
        parts = zip(hidden.split(ROWS), labels.split(ROWS), strict=True)
        found = [
            cross_entropy((part @ weight.T).float(), asked, ignore_index=IGNORED, reduction="none")
            for part, asked in parts
        ]
    return torch.cat(found)
