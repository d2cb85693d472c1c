"""Documents as one flat array of tokens, memory-mapped, that language models read in blocks: what packing leaves.

tokens.bin           coded tokens (tasks/formats/token_blocks.py), little-endian
offsets.bin          where each document begins, int64, and where the last one ends
packed_tokens.json   what they are; written last, so that a folder without it was not finished
"""

from collections.abc import Iterable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from infra.errors import ArtifactError, StoreError
from tasks.formats.token_blocks import Blocks, Documents, Ids, Windows, code, code_type
from tasks.formats.value import Value, read_value, write_value

INFO_FILE, TOKENS_FILE, OFFSETS_FILE = "packed_tokens.json", "tokens.bin", "offsets.bin"
OFFSET = np.dtype("<i8")
REMEDY = "Delete the folder and run the packing again."


class VocabularyInfo(Value):
    """What a reader must know of the tokenizer, and which one it was."""

    size: int = Field(ge=1, description="ids are below it")
    special: tuple[int, ...] = Field(description="ids of special tokens, the unknown token's among them")
    mask: int | None = Field(
        description="id that stands for a hidden token; null for a tokenizer without one"
    )
    pad: int | None = Field(description="id that fills up short rows; null for a tokenizer without one")
    digest: str = Field(description="sha256 of tokenizer.json")


class PackedInfo(Value):
    """`packed_tokens.json` beside the arrays."""

    documents: int = Field(ge=0)
    empty: int = Field(ge=0, description="documents of special tokens alone, kept as rows of no tokens")
    tokens: int = Field(ge=0, description="all of them, special ones too")
    longest: int = Field(ge=0, description="tokens of the longest document")
    word_starts: int | None = Field(
        ge=0,
        description="tokens that start a word, special ones among them; null where words were not told apart, and the bit "
        "of every token is set",
    )
    vocabulary: VocabularyInfo


class Tokenized(NamedTuple):
    """Documents after each other: `ids` int64 [tokens], `starts` bool [tokens], `lengths` int64 [documents].

    `starts` says which tokens start a word; None where words are not told apart.
    """

    ids: np.ndarray
    starts: np.ndarray | None
    lengths: np.ndarray


@dataclass(frozen=True)
class PackedTokens:
    """An opened folder: `tokens` coded [all tokens], `offsets` int64 [documents + 1], both memory-mapped."""

    info: PackedInfo
    tokens: np.ndarray
    offsets: np.ndarray

    @property
    def ids(self) -> Ids:
        """All tokens, one after the other."""
        return Ids(self.tokens)

    @property
    def documents(self) -> Documents:
        """A row a document."""
        return Documents(self.tokens, self.offsets)

    def blocks(self, length: int) -> Blocks:
        """Blocks of `length` tokens; raises ConfigError for a length below 1."""
        return Blocks(self.tokens, self.offsets, length)

    def windows(self, length: int) -> Windows:
        """Blocks with the token behind each, for causal models; raises ConfigError for a length below 1."""
        return Windows(self.tokens, self.offsets, length)


def write_packed(folder: Path, batches: Iterable[Tokenized], vocabulary: VocabularyInfo) -> PackedInfo:
    """Write documents as they come: one batch is in memory at a time.

    Raises StoreError when the disk does not take them, ArtifactError for an id that the vocabulary does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INFO_FILE).unlink(missing_ok=True)
    counts, kind = _Counts(), code_type(vocabulary.size)
    with FileIO(folder / TOKENS_FILE, "wb") as tokens, FileIO(folder / OFFSETS_FILE, "wb") as offsets:
        _append(offsets, np.zeros(1, OFFSET))
        for batch in batches:
            if (highest := int(batch.ids.max(initial=0))) >= vocabulary.size:
                raise ArtifactError(
                    f"the tokenizer gave id {highest}: expected one below {vocabulary.size}, the size of its vocabulary. "
                    "Save the tokenizer again."
                )
            _append(tokens, code(batch.ids, batch.starts, kind))
            _append(offsets, (counts.tokens + batch.lengths.cumsum()).astype(OFFSET))
            counts.add(batch)
    info = PackedInfo(**vars(counts), vocabulary=vocabulary)
    write_value(folder / INFO_FILE, info)
    return info


def open_packed(folder: Path) -> PackedTokens:
    """Open what `write_packed` left. Raises ArtifactError for a folder that is none, or whose files are cut or damaged."""
    try:
        info = read_value(folder / INFO_FILE, PackedInfo, f"packed tokens, written to their end. {REMEDY}")
    except ValueError as error:
        raise ArtifactError(
            f"{folder / INFO_FILE} cannot be read ({error}): expected what packing wrote. {REMEDY}"
        ) from None
    tokens = _mapped(folder / TOKENS_FILE, code_type(info.vocabulary.size), info.tokens)
    offsets = _mapped(folder / OFFSETS_FILE, OFFSET, info.documents + 1)
    if offsets[0] != 0 or offsets[-1] != info.tokens or (np.diff(offsets) < 0).any():
        raise ArtifactError(
            f"{folder / OFFSETS_FILE} is damaged: expected offsets that rise from 0 to {info.tokens:,}. {REMEDY}"
        )
    return PackedTokens(info, tokens, offsets)


@dataclass
class _Counts:
    documents: int = 0
    empty: int = 0
    tokens: int = 0
    longest: int = 0
    word_starts: int | None = 0

    def add(self, batch: Tokenized) -> None:
        self.documents += len(batch.lengths)
        self.empty += int((batch.lengths == 0).sum())
        self.tokens += len(batch.ids)
        self.longest = max(self.longest, int(batch.lengths.max(initial=0)))
        if batch.starts is None or self.word_starts is None:
            self.word_starts = None
        else:
            self.word_starts += int(batch.starts.sum())


def _mapped(path: Path, kind: np.dtype, count: int) -> np.ndarray:
    size = count * kind.itemsize
    found = path.stat().st_size if path.is_file() else None
    if found != size:
        there = "is not there" if found is None else f"has {found:,} bytes"
        raise ArtifactError(f"{path} {there}: expected {size:,} bytes, {count:,} numbers. {REMEDY}")
    # An empty file cannot be mapped.
    return np.memmap(path, kind, mode="r").view(np.ndarray) if count else np.empty(0, kind)


def _append(file: FileIO, values: np.ndarray) -> None:
    """Unbuffered: of a full disk it is here that we hear, and not when the file is closed."""
    left = memoryview(values.tobytes())
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise StoreError(
            f"{file.name} could not be written ({error}). Free some space or make the folder writable, then run again."
        ) from error
