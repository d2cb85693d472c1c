"""A corpus of code as packed tokens: a folder a part, and `report.json`, which says what the parts are.

    train                 what is learned from
    validation            files that pick the best weights, and the weights of baselines
    files                 files of the test split whose repositories were read otherwise
    OWNER/NAME            a repository of the test split, of which nothing was read: one part each, called after it

A document is its quality token, its text's tokens, and the token that ends it; documents lie one after the other.
"""

from pathlib import Path

import numpy as np
from pydantic import Field

from tasks.formats.code_tokens import SPECIAL_TOKENS
from tasks.formats.packed_tokens import PackedTokens, open_packed
from tasks.formats.report_file import read_report
from tasks.formats.value import Value

SPLIT_PARTS = TRAIN, VALIDATION, FILES = "train", "validation", "files"


class PackedPart(Value):
    """A part of a corpus."""

    documents: int = Field(ge=0, description="files")
    tokens: int = Field(ge=0, description="all of them, special ones too")
    bytes: int = Field(ge=0, description="of the text, UTF-8, special tokens not counted")


class PackedCorpus(Value):
    """`report.json` beside the parts."""

    special: dict[str, int] = Field(description="ids of the special tokens")
    parts: dict[str, PackedPart] = Field(description="by name, train first")

    def metrics(self) -> dict[str, float]:
        """Files, tokens and bytes of each part as flat names."""
        return {
            f"{name.replace('/', '-')}_{figure}": float(getattr(part, figure))
            for name, part in self.parts.items()
            for figure in PackedPart.model_fields
        }

    @property
    def repositories(self) -> tuple[str, ...]:
        """The parts that are repositories never seen."""
        return tuple(name for name in self.parts if name not in SPLIT_PARTS)

    @property
    def measured(self) -> tuple[str, ...]:
        """The parts of the test split: the files, then the repositories."""
        return tuple(name for name in (FILES, *self.repositories) if name in self.parts)

    @property
    def quality_ids(self) -> np.ndarray:
        """Ids of what stands before a text, int64: nothing of the text, so no figure counts them as predicted."""
        return np.array([self.special[token] for token in SPECIAL_TOKENS[1:]], dtype=np.int64)


def read_packed_corpus(folder: Path) -> PackedCorpus:
    """Read `report.json`. Raises ArtifactError when the folder is no packed corpus."""
    return read_report(folder, PackedCorpus)


def part_folder(folder: Path, name: str) -> Path:
    """Where a part lies."""
    return folder / name.replace("/", "--")


def open_part(folder: Path, name: str) -> PackedTokens:
    """The tokens of a part. Raises ArtifactError when they are damaged."""
    return open_packed(part_folder(folder, name))
