"""The student before training: chosen layers of the teacher, the most important units of each, the kept
vocabulary.
"""

import copy

import torch
from transformers import PretrainedConfig

from infra.errors import ConfigError
from tasks.distill.config import DistillConfig
from tasks.encoder.architecture import POSITIONS, WORDS, Architecture, architecture_of
from tasks.encoder.model import SentenceClassifier

Weights = dict[str, torch.Tensor]


def spread_layers(of: int, kept: int) -> tuple[int, ...]:
    """Which of `of` layers (from 0) the student keeps: the last of each of `kept` blocks as equal as can be.

    2 of 6 are layers 2 and 5. The last layer is always kept: the pooled vector was made for its output.
    """
    return tuple((i + 1) * of // kept - 1 for i in range(kept))


def important_units(up: torch.Tensor, down: torch.Tensor, kept: int) -> torch.Tensor:
    """Ids int64 [kept], ascending, of the feed-forward units that matter most.

    A unit's importance is the norm of its row of `up` [units, hidden] times that of its column of `down`
    [hidden, units]: how strongly it can be driven times how strongly it drives.
    """
    importance = up.norm(dim=1) * down.norm(dim=0)
    return importance.topk(kept).indices.sort().values


def student_from_teacher(
    teacher: SentenceClassifier, config: DistillConfig, word_rows: torch.Tensor, pad_id: int
) -> SentenceClassifier:
    """A smaller copy of `teacher` with `word_rows` float [tokens, hidden] as its word embeddings.

    Raises ConfigError when `layers`, `intermediate_size` or `max_length` are unset or more than the teacher
    has.
    """
    names, shape = architecture_of(teacher.body), teacher.body.config
    old_first, first = names.first_position(shape.pad_token_id), names.first_position(pad_id)
    _check_shape(config, shape, names, old_first)
    smaller = copy.deepcopy(shape)
    smaller.update(dict.fromkeys(names.dropouts, config.dropout))
    sizes = {names.depth: config.layers, names.width: config.intermediate_size, "vocab_size": len(word_rows)}
    smaller.update(sizes | {"max_position_embeddings": config.max_length + first, "pad_token_id": pad_id})
    student = SentenceClassifier.from_config(smaller, teacher.head.out_features)
    weights = _kept_weights(teacher.body.state_dict(), names, config)
    weights[WORDS] = word_rows
    positions = weights[POSITIONS]
    # Rows before the first position (RoBERTa's kin have some) are never read but must be there.
    weights[POSITIONS] = torch.cat(
        [positions[:1].repeat(first, 1), positions[old_first : old_first + config.max_length]]
    )
    student.body.load_state_dict(weights)
    student.head.load_state_dict(teacher.head.state_dict())
    return student


def _kept_weights(weights: Weights, names: Architecture, config: DistillConfig) -> Weights:
    """The teacher's weights without the layers and units that the student does not have."""
    depth = 1 + max(
        int(name.removeprefix(f"{names.layers}.").split(".")[0]) for name in weights if names.layers in name
    )
    kept = {name: value.clone() for name, value in weights.items() if not name.startswith(f"{names.layers}.")}
    for new, old in enumerate(spread_layers(depth, config.layers or depth)):
        prefix = f"{names.layers}.{old}."
        layer = {
            name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)
        }
        layer = _narrowed(layer, names, config.intermediate_size)
        kept |= {f"{names.layers}.{new}.{name}": value for name, value in layer.items()}
    return kept


def _narrowed(layer: Weights, names: Architecture, width: int | None) -> Weights:
    """A layer's weights with its `width` most important feed-forward units only."""
    up, bias, down = f"{names.up}.weight", f"{names.up}.bias", f"{names.down}.weight"
    units = important_units(layer[up], layer[down], width or len(layer[up]))
    return layer | {up: layer[up][units], bias: layer[bias][units], down: layer[down][:, units].contiguous()}


def _check_shape(
    config: DistillConfig, shape: PretrainedConfig, names: Architecture, first_position: int
) -> None:
    most = {
        "layers": getattr(shape, names.depth),
        "intermediate_size": getattr(shape, names.width),
        "max_length": shape.max_position_embeddings - first_position,
    }
    for field, limit in most.items():
        asked = getattr(config, field)
        if asked is None or asked > limit:
            raise ConfigError(
                f"distill.{field} is {asked}: expected 1 to {limit}, what the teacher has. "
                f"Give --distill.{field.replace('_', '-')}."
            )
