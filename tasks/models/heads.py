"""Attention heads cut out of an encoder: smaller matrices, the rest as it was.

transformers' models tie the number of heads to the hidden size in their configuration, but what they compute does not:
the heads are counted from the matrices' rows. So a cut model is an ordinary one whose matrices are smaller.
"""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from infra.errors import ConfigError
from tasks.models.architecture import architecture_of

KeptHeads = tuple[tuple[int, ...], ...]


def kept_heads(body: PreTrainedModel) -> KeptHeads:
    """Ids of each layer's heads, counted in the model before any was cut."""
    names = architecture_of(body)
    every = tuple(range(getattr(body.config, names.heads)))
    cut = getattr(body.config, "kept_heads", None)
    if cut is None:
        return (every,) * getattr(body.config, names.depth)
    return tuple(tuple(layer) for layer in cut)


def keep_heads(body: PreTrainedModel, kept: Sequence[Sequence[int]]) -> None:
    """Cut all heads of each layer but those of `kept` out of `body`, in place.

    Raises ConfigError when a layer would keep none, or heads that it does not have, and for MPNet, whose heads differ.
    """
    names, before = architecture_of(body), kept_heads(body)
    if not names.heads_are_alike:
        raise ConfigError(
            f"heads of a {body.config.model_type} cannot be cut: each has a position bias of its own. Expected BERT, "
            "RoBERTa, ELECTRA or DistilBERT."
        )
    wanted = tuple(tuple(sorted(set(layer))) for layer in kept)
    if len(wanted) != len(before) or any(
        not new or not set(new) <= set(old) for new, old in zip(wanted, before, strict=True)
    ):
        raise ConfigError(
            f"asked to keep the heads {wanted}: expected one or more of {before} in each layer. Keep at least one."
        )
    if wanted == before:
        return
    size = names.head_size(body)
    for layer, new, old in zip(names.layers_of(body), wanted, before, strict=True):
        places = torch.tensor([old.index(head) for head in new])
        columns = columns_of(places, size)
        for name in (names.query, names.key, names.value):
            keep_outputs(names.matrix(layer, name), columns)
        keep_inputs(names.matrix(layer, names.attention_output), columns)
    body.config.kept_heads = [list(layer) for layer in wanted]


def columns_of(heads: torch.Tensor, size: int) -> torch.Tensor:
    """Columns, int64 [heads * size], of the joined output of all heads that belong to `heads`, int64 [heads]."""
    return (heads.unsqueeze(1) * size + torch.arange(size)).flatten()


def keep_outputs(linear: nn.Linear, kept: torch.Tensor) -> None:
    """Leave the outputs `kept`, int64 [n], of a linear map, in place."""
    linear.weight = _some(linear.weight, kept, 0)
    linear.bias = _some(linear.bias, kept, 0)
    linear.out_features = len(kept)


def keep_inputs(linear: nn.Linear, kept: torch.Tensor) -> None:
    """Leave the inputs `kept`, int64 [n], of a linear map, in place."""
    linear.weight = _some(linear.weight, kept, 1)
    linear.in_features = len(kept)


def _some(values: torch.Tensor, kept: torch.Tensor, axis: int) -> nn.Parameter:
    some = values.detach().index_select(axis, kept.to(values.device)).contiguous()
    return nn.Parameter(some, requires_grad=values.requires_grad)
