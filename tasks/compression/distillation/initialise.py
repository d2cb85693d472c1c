"""The student before training: chosen layers of the teacher, the most important heads and units of each, the kept
vocabulary.
"""

import copy

import torch
from transformers import PretrainedConfig

from infra.errors import ConfigError
from tasks.compression.distillation.config import DistillConfig
from tasks.compression.pruning.importance import Importance, norm_importance
from tasks.compression.pruning.structured import cut_width
from tasks.models.architecture import POSITIONS, WORDS, Architecture, architecture_of
from tasks.models.heads import keep_heads, kept_heads
from tasks.models.model import SentenceClassifier
from tasks.models.sliced import FIELDS, whole_weights

Weights = dict[str, torch.Tensor]


def given_length(max_length: int | None, section: str) -> int:
    """Tokens a text is cut to. Raises ConfigError where it was left to the data, which only a flow asks."""
    if max_length is None:
        raise ConfigError(
            f"{section}.max_length is not set: expected a number of tokens. Give --{section}.max-length."
        )
    return max_length


def spread_layers(of: int, kept: int) -> tuple[int, ...]:
    """Which of `of` layers (from 0) the student keeps: the last of each of `kept` blocks as equal as can be.

    2 of 6 are layers 2 and 5. The last layer is always kept: the pooled vector was made for its output.
    """
    return tuple((i + 1) * of // kept - 1 for i in range(kept))


def student_from_teacher(
    teacher: SentenceClassifier,
    config: DistillConfig,
    word_rows: torch.Tensor,
    pad_id: int,
    importance: Importance | None = None,
) -> SentenceClassifier:
    """A smaller copy of `teacher` with `word_rows` float [tokens, hidden] as its word embeddings.

    `importance` is of the teacher's heads and units; None: by the norms of their weights.

    Raises ConfigError when `layers`, `intermediate_size` or `max_length` are unset or more than the teacher
    has, or `heads` are.
    """
    names, shape = architecture_of(teacher.body), teacher.body.config
    old_first, first = names.first_position(shape.pad_token_id), names.first_position(pad_id)
    _check_shape(config, shape, names, old_first)
    layers = spread_layers(getattr(shape, names.depth), config.layers or 0)
    found = importance or norm_importance(teacher)
    smaller = _without_narrowing(shape)
    smaller.update(dict.fromkeys(names.dropouts, config.dropout))
    length = given_length(config.max_length, "distill")
    sizes = {names.depth: config.layers, "vocab_size": len(word_rows), "pad_token_id": pad_id}
    smaller.update(sizes | {"max_position_embeddings": length + first})
    student = SentenceClassifier.from_config(smaller, teacher.head.out_features)
    weights = kept_weights(whole_weights(teacher.body), names, layers)
    weights[WORDS] = word_rows
    positions = weights[POSITIONS]
    # Rows before the first position (RoBERTa's kin have some) are never read but must be there.
    unread = positions[:1].repeat(first, 1)
    weights[POSITIONS] = torch.cat([unread, positions[old_first : old_first + length]])
    student.body.load_state_dict(weights)
    student.head.load_state_dict(teacher.head.state_dict())
    _inherit_heads(student, [kept_heads(teacher.body)[layer] for layer in layers], config.heads)
    own = Importance(*([each[layer] for layer in layers] for each in found))
    cut_width(student, own, config.heads, config.intermediate_size)
    return student


def _without_narrowing(shape: PretrainedConfig) -> PretrainedConfig:
    """A copy of the teacher's configuration as one of a model that is not narrowed (tasks/models/sliced.py)."""
    smaller = copy.deepcopy(shape)
    for field in FIELDS:
        if hasattr(smaller, field):
            delattr(smaller, field)
    return smaller


def _inherit_heads(student: SentenceClassifier, there: list[tuple[int, ...]], heads: int | None) -> None:
    """Leave the student the heads `there` that its layers have in the teacher; raises ConfigError for fewer than `heads`."""
    if heads is not None and heads > (least := min(map(len, there))):
        raise ConfigError(
            f"distill.heads is {heads}: expected 1 to {least}, what the teacher has. Give --distill.heads."
        )
    if there != list(kept_heads(student.body)):
        keep_heads(student.body, there)


def kept_weights(weights: Weights, names: Architecture, layers: tuple[int, ...]) -> Weights:
    """A body's weights without the layers that are not among `layers`; those that are there are counted anew."""
    kept = {name: value.clone() for name, value in weights.items() if not name.startswith(f"{names.layers}.")}
    for new, old in enumerate(layers):
        prefix = f"{names.layers}.{old}."
        kept |= {
            f"{names.layers}.{new}.{name.removeprefix(prefix)}": value
            for name, value in weights.items()
            if name.startswith(prefix)
        }
    return kept


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
