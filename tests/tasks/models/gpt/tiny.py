"""A tiny GPT-2 of random weights that are large enough for every position to matter."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tasks.models.gpt.config import GptConfig
from tasks.models.gpt.fresh import gpt_config
from tasks.models.gpt.model import Gpt

VOCABULARY, CONTEXT = 61, 24


def tiny_gpt(seed: int = 0, activation: str = "relu2", **changed: object) -> Gpt:
    """In training mode; transformers computes it as its formulas stand there ("eager")."""
    torch.manual_seed(seed)
    asked = GptConfig(layers=2, width=16, heads=2, context=CONTEXT, activation=activation)
    config: GPT2Config = gpt_config(asked, VOCABULARY, end_id=0)
    config.update({"initializer_range": 0.3, "attn_implementation": "eager"} | changed)
    model = GPT2LMHeadModel(config)
    with torch.no_grad():  # biases and norms too, which begin as nothing
        for value in model.parameters():
            if value.ndim < 2:
                value.add_(torch.randn_like(value) * 0.2)
    return Gpt(model).train()


def random_ids(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    """Int64 [rows, length]."""
    return torch.randint(VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def gradients(model: Gpt) -> dict[str, torch.Tensor]:
    """Those that the parameters have, which are taken away from them."""
    found = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    return found


def differences(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> dict[str, float]:
    """How far gradients lie apart, by their own size; of those that are next to nothing by the largest one's.

    (A key's bias changes nothing: its gradient is rounding.)
    """
    assert ours.keys() == theirs.keys()
    largest = max(value.norm().item() for value in theirs.values())
    return {
        name: (ours[name] - value).norm().item() / max(value.norm().item(), 1e-2 * largest)
        for name, value in theirs.items()
    }
