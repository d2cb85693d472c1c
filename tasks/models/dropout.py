"""Dropout of a model that was read with another."""

from typing import TypeVar

from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def with_dropout(model: Model, share: float) -> Model:
    """Let every dropout of `model` have `share`, in place; what its config says for others stays."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
    return model
