"""How large a student is going to be, before it is trained: nothing that cannot fit needs to be."""

from dataclasses import dataclass

from tasks.search.values import Choice

TOKENIZER_BYTES_PER_TOKEN = 15  # of tokenizer.json, measured on English WordPiece
GRAPH_BYTES = 60_000  # nodes, names, scales and norms
SCALE_BYTES = 4.5  # of a block of 32 four-bit weights: a float32 scale and half a byte of zero point
BLOCK = 32


@dataclass(frozen=True)
class Widths:
    """What a student takes over from its teacher."""

    hidden: int
    positions: int
    labels: int


def estimated_mb(choice: Choice, widths: Widths) -> float:
    """Megabytes of the int8 release: matrices at a byte a weight, embeddings at their bits; within about 3%."""
    embeddings = choice.vocabulary_size * widths.hidden * choice.embedding_bits / 8
    if choice.embedding_bits < 8:
        embeddings += choice.vocabulary_size * widths.hidden / BLOCK * SCALE_BYTES
    layer = 4 * widths.hidden**2 + 2 * widths.hidden * choice.intermediate_size
    rest = widths.hidden * (widths.positions + widths.labels) + choice.layers * layer
    return (embeddings + rest + choice.vocabulary_size * TOKENIZER_BYTES_PER_TOKEN + GRAPH_BYTES) / 1e6
