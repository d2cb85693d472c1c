"""Position trimming: a model that never reads a text beyond `max_length` needs no rows for it."""

from torch import nn

from tasks.models.model import SentenceClassifier


def cut_positions(model: SentenceClassifier, max_length: int) -> SentenceClassifier:
    """Drop the position embeddings that no text of `max_length` tokens reaches, in place; returns `model`."""
    embeddings = model.body.get_submodule("embeddings")
    positions = getattr(embeddings, "position_embeddings", None)
    if not isinstance(positions, nn.Embedding):
        return model
    # RoBERTa's kin count positions from the padding id + 1; there the table knows its padding id.
    first = 0 if positions.padding_idx is None else positions.padding_idx + 1
    rows = min(first + max_length, positions.num_embeddings)
    for name, buffer in list(embeddings.named_buffers(recurse=False)):
        if buffer.shape == (1, positions.num_embeddings):  # position_ids and token_type_ids of each position
            setattr(embeddings, name, buffer[:, :rows].clone())
    positions.weight = nn.Parameter(positions.weight[:rows].detach().clone())
    positions.num_embeddings = rows
    model.body.config.max_position_embeddings = rows
    return model
