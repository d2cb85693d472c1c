"""Freeze the masks of packed text: of the test split, and of validation, which picks the best weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from infra.errors import ConfigError, DataError
from tasks.formats.frozen_masks import write_frozen
from tasks.formats.packed_tokens import open_packed
from tasks.formats.packing_report import read_packing
from tasks.formats.token_shards import TokenShards
from tasks.training.masked_lm.config import FrozenConfig
from tasks.training.masked_lm.frozen import freeze
from tasks.training.masked_lm.masking import IGNORED, Vocabulary


class Pieces(Sequence[Sequence[int]]):
    """Documents cut into rows of at most `length` tokens: for books, of which there are few."""

    def __init__(self, documents: TokenShards, length: int) -> None:
        self.documents, self.length = documents, length
        each = -(-documents.lengths // length)
        self._first = np.concatenate([np.zeros(1, dtype=np.int64), each]).cumsum()

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, piece: int) -> Sequence[int]:  # type: ignore[override]  # rows one by one
        if not 0 <= piece < len(self):
            raise IndexError(f"piece {piece} of {len(self)}")
        document = int(np.searchsorted(self._first, piece, side="right")) - 1
        start = (piece - int(self._first[document])) * self.length
        return self.documents[document][start : start + self.length]


def freeze_splits(config: FrozenConfig, packed_dir: Path, output_dir: Path) -> Mapping[str, float]:
    """Write `frozen.safetensors` of the test split, and the same of validation under `validation/`.

    A text without a test split has validation's alone: it is to be learned from, not reported on. Where a split has fewer
    documents than are asked for, they are cut into pieces.

    Returns rows and masked tokens of each. Raises DataError for a text without a validation split, or with too little in it,
    ConfigError for a tokenizer without mask or pad token.
    """
    length, metrics = read_packing(packed_dir).length, dict[str, float]()
    for split, folder in (("test", output_dir), ("validation", output_dir / "validation")):
        if not (packed_dir / split).is_dir():
            if split == "test":
                continue
            raise DataError(
                "the packed text has no validation split: expected one, which picks the best weights. Give a "
                "validation_share above 0, or rows of that split."
            )
        packed = open_packed(packed_dir / split)
        if packed.info.vocabulary.pad is None:
            raise ConfigError(
                "the tokenizer has no token that pads: expected a masked language model's. Take another model."
            )
        documents: Sequence[Sequence[int]] = packed.documents
        if len(documents) < config.documents:
            documents = Pieces(packed.documents, length)
        vocabulary = Vocabulary.of_packed(packed.info.vocabulary)
        frozen = freeze(documents, length, packed.info.vocabulary.pad, vocabulary, config)
        write_frozen(folder, frozen)
        masked = int((frozen.labels != IGNORED).sum())
        metrics |= {f"{split}_rows": float(len(frozen.labels)), f"{split}_masked": float(masked)}
    return metrics
