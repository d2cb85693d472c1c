"""Structured pruning: whole attention heads and feed-forward units go, and the matrices are truly smaller.

The cut model computes what the whole one computes with those heads and units masked. Fewer units are an ordinary
transformers model of a smaller intermediate size; fewer heads are one on disk too, see tasks/models/sliced.py.
"""

from collections.abc import Sequence

import torch

from infra.errors import ConfigError
from tasks.compression.pruning.importance import Importance, most_important
from tasks.models.architecture import architecture_of
from tasks.models.heads import keep_heads, keep_inputs, keep_outputs, kept_heads
from tasks.models.model import SentenceClassifier


def keep_units(model: SentenceClassifier, kept: Sequence[torch.Tensor]) -> None:
    """Cut all feed-forward units but `kept`, int64 [units] for each layer, as many in each, out of `model`, in place."""
    names = architecture_of(model.body)
    for layer, units in zip(names.layers_of(model.body), kept, strict=True):
        keep_outputs(names.matrix(layer, names.intermediate), units)
        keep_inputs(names.matrix(layer, names.output), units)
    model.body.config.update({names.width: len(kept[0])})


def cut_width(
    model: SentenceClassifier, importance: Importance, heads: int | None, units: int | None
) -> None:
    """Keep the `heads` and `units` of each layer that matter most, in place; None keeps all of them.

    Raises ConfigError when a layer has fewer.
    """
    _require("heads", heads, importance.heads)
    _require("units", units, importance.units)
    if heads is not None:
        chosen = most_important(importance.heads, heads)
        # Importance counts the heads that are there, kept_heads those that were there before any was cut.
        before = kept_heads(model.body)
        keep_heads(
            model.body, [[old[i] for i in new.tolist()] for old, new in zip(before, chosen, strict=True)]
        )
    if units is not None:
        keep_units(model, most_important(importance.units, units))


def _require(what: str, asked: int | None, there: Sequence[torch.Tensor]) -> None:
    least = min(len(layer) for layer in there)
    if asked is not None and not 0 < asked <= least:
        raise ConfigError(
            f"{asked} {what} are asked for in each layer: expected 1 to {least}, what the model has."
        )
