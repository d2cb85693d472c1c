"""How a narrowed encoder lies on disk: as the ordinary model that answers the same.

A body whose heads were cut or whose word embeddings were factorised has matrices that no configuration of transformers
can say. Written whole (zeros where heads are gone, the product of the factors), it is an ordinary model again, which
`AutoModel` and sentence-transformers open without this project; `kept_heads` and `embedding_rank` in its `config.json`
say how to make it small again when it is loaded here, and every graph exported from it is small.
"""

import torch
from transformers import PreTrainedModel

from infra.errors import ArtifactError, ConfigError
from tasks.models.architecture import WORDS, architecture_of
from tasks.models.embedding import FactorisedEmbedding, factorise
from tasks.models.heads import columns_of, keep_heads, kept_heads

FIELDS = ("kept_heads", "embedding_rank")


def is_sliced(body: PreTrainedModel) -> bool:
    """Whether `body` has matrices that its configuration alone does not tell."""
    return any(getattr(body.config, field, None) is not None for field in FIELDS)


def slice_as_configured(body: PreTrainedModel) -> PreTrainedModel:
    """Make `body`, just read as an ordinary model, as small as its configuration says, in place; returns it.

    Raises ArtifactError when the configuration says what the model cannot have.
    """
    kept, rank = (getattr(body.config, field, None) for field in FIELDS)
    try:
        if kept is not None:
            body.config.kept_heads = None
            keep_heads(body, kept)
        if rank is not None:
            factorise(body, rank)
    except (ConfigError, TypeError) as error:
        raise ArtifactError(
            f"config.json says kept_heads {kept!r} and embedding_rank {rank!r}: expected what the model can have "
            f"({error}). The checkpoint is damaged: make it again."
        ) from error
    return body


def whole_weights(body: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights of the ordinary model that answers as `body` does."""
    weights = dict(body.state_dict())
    words = body.get_input_embeddings()
    if isinstance(words, FactorisedEmbedding):
        prefix = WORDS.removesuffix("weight")
        weights = {name: value for name, value in weights.items() if not name.startswith(prefix)}
        weights[WORDS] = words.weight.detach()
    if getattr(body.config, "kept_heads", None) is None:
        return weights
    names = architecture_of(body)
    size, width = names.head_size(body), body.config.hidden_size
    for number, heads in enumerate(kept_heads(body)):
        columns = columns_of(torch.tensor(heads), size)
        layer = f"{names.layers}.{number}"
        for name in (names.query, names.key, names.value):
            for part in ("weight", "bias"):
                key = f"{layer}.{name}.{part}"
                weights[key] = _scattered(weights[key], columns, width, 0)
        key = f"{layer}.{names.attention_output}.weight"
        weights[key] = _scattered(weights[key], columns, width, 1)
    return weights


def _scattered(values: torch.Tensor, places: torch.Tensor, size: int, axis: int) -> torch.Tensor:
    """`values` at `places` along an axis of length `size`, zeros elsewhere."""
    shape = [size if i == axis else length for i, length in enumerate(values.shape)]
    return values.new_zeros(shape).index_copy(axis, places.to(values.device), values)
