"""How large a student is going to be, before it is trained: nothing that cannot fit needs to be."""

import json
from dataclasses import dataclass
from pathlib import Path

from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.search.trial_parameters import TrialParameters

TOKENIZER_BYTES_PER_TOKEN = 15  # of tokenizer.json, measured on English WordPiece
GRAPH_BYTES, LAYER_BYTES = 12_000, 24_000  # nodes, names, scales and norms: of any graph, of each layer
# Bytes of a four-bit weight in blocks of 32, which have a float32 scale and half a byte of zero point.
IN_BLOCKS = 0.5 + 4.5 / 32


@dataclass(frozen=True)
class Widths:
    """What a student takes over from its teacher; `bag` is of a student without layers."""

    hidden: int
    bag: EmbeddingBagConfig
    positions: int
    labels: int


def widths_of(teacher: Path, dataset: Path, bag: EmbeddingBagConfig) -> Widths:
    """What students of a teacher (its checkpoint's folder) for a data set take over."""
    from tasks.formats import dataset as rows
    from tasks.formats.checkpoint import load_info

    hidden = json.loads((teacher / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    return Widths(hidden, bag, load_info(teacher).max_length, len(rows.load_info(dataset).labels))


def estimated_mb(choice: TrialParameters, widths: Widths) -> float:
    """Megabytes of the release; within 5%."""
    table_byte = 1.0 if choice.weights == "int8" else IN_BLOCKS
    matrix_byte = IN_BLOCKS if choice.weights == "int4" else 1.0
    hidden = widths.hidden if choice.layers else widths.bag.dimensions
    width = choice.embedding_rank or hidden
    tables = (choice.vocabulary_size + (0 if choice.layers else widths.bag.pairs)) * width * table_byte
    layer = 4 * hidden**2 + 2 * hidden * choice.intermediate_size
    basis = width * hidden if choice.embedding_rank else 0
    matrices = hidden * widths.labels + choice.layers * layer + basis
    positions = hidden * widths.positions if choice.layers else 0
    tokenizer, graph = (
        choice.vocabulary_size * TOKENIZER_BYTES_PER_TOKEN,
        GRAPH_BYTES + choice.layers * LAYER_BYTES,
    )
    return (tables + matrices * matrix_byte + positions + tokenizer + graph) / 1e6
