"""Packing a corpus of code beside the textbook's loop: MB/s on the same files by the same tokenizer, and what each loses.

The textbook's is CodeParrot's `ConstantLengthDataset` (Tunstall et al., "Natural Language Processing with Transformers",
chapter 10), written anew: texts are streamed by `datasets` into a buffer of so many characters, the buffer is tokenized, its
texts are joined by the token that ends one and cut, and what does not fill a block at the end of the buffer is dropped. Its
blocks go to the training and nowhere else; ours go to the disk once.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from infra.errors import DataError
from tasks.data.packing.config import PackCorpusConfig
from tasks.data.packing.corpus import pack_corpus
from tasks.formats.packed_corpus import TRAIN, open_part, read_packed_corpus
from tasks.models.loading import load_tokenizer
from tests.benchmarks.causal_lm_page import PackingSpeed, WayOfPacking
from tests.benchmarks.packing import silent

CHARACTERS_PER_TOKEN, BLOCKS_AT_ONCE = 3.6, 1_024  # the textbook's
COMPARED = 256  # blocks that must be the same: fewer than the first buffer gives


class ConstantLength(torch.utils.data.IterableDataset[torch.Tensor]):
    """The textbook's blocks of `length` tokens; `read` counts all tokens, those that were dropped too."""

    def __init__(
        self, texts: datasets.IterableDataset, tokenizer: PreTrainedTokenizerBase, length: int
    ) -> None:
        self.texts, self.tokenizer, self.length = texts, tokenizer, length
        self.characters = length * CHARACTERS_PER_TOKEN * BLOCKS_AT_ONCE
        self.read = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        for buffer in self._buffers():
            joined: list[int] = []
            for ids in self.tokenizer(buffer, truncation=False)["input_ids"]:
                joined.extend([*ids, self.tokenizer.eos_token_id])
            self.read += len(joined)
            for start in range(0, len(joined), self.length):
                block = joined[start : start + self.length]
                if len(block) == self.length:
                    yield torch.tensor(block)

    def _buffers(self) -> Iterator[list[str]]:
        buffer: list[str] = []
        size = 0
        for row in self.texts:
            buffer.append(row["text"])
            size += len(row["text"])
            if size >= self.characters:
                yield buffer
                buffer, size = [], 0
        if buffer:
            yield buffer


def textbook(corpus: Path, tokenizer: PreTrainedTokenizerBase, length: int) -> ConstantLength:
    """Over all files of a corpus, train first."""
    files = [
        str(path)
        for split in ("train", "validation")
        for path in sorted((corpus / "data").glob(f"{split}-*"))
    ]
    texts = datasets.load_dataset("parquet", data_files={"all": files}, split="all", streaming=True)
    return ConstantLength(texts, tokenizer, length)


def measure_packing(corpus: Path, tokenizer: Path, length: int, rounds: int, scratch: Path) -> PackingSpeed:
    """Both in turns. Raises DataError when their first blocks are not the same but for the tokens of quality."""
    opened = load_tokenizer(tokenizer)
    seconds: tuple[list[float], list[float]] = ([], [])
    with silent():
        _check_the_same(corpus, tokenizer, opened, length, scratch / "checked")
        for number in range(rounds):
            folder = scratch / f"packed-{number}"
            begun = time.perf_counter()
            pack_corpus(PackCorpusConfig(), tokenizer, corpus, folder)
            seconds[0].append(time.perf_counter() - begun)
            theirs = textbook(corpus, opened, length)
            begun = time.perf_counter()
            kept = sum(len(block) for block in theirs)
            seconds[1].append(time.perf_counter() - begun)
    packed = read_packed_corpus(folder)
    tokens = sum(part.tokens for part in packed.parts.values())
    read = sum(len(open_part(folder, name).windows(length)) * length for name in packed.parts)
    return PackingSpeed(
        bytes=sum(part.bytes for part in packed.parts.values()),
        files=sum(part.documents for part in packed.parts.values()),
        ours=WayOfPacking(seconds=tuple(seconds[0]), tokens=tokens, lost=tokens - read),
        textbook=WayOfPacking(seconds=tuple(seconds[1]), tokens=theirs.read, lost=theirs.read - kept),
    )


def _check_the_same(
    corpus: Path, tokenizer: Path, opened: PreTrainedTokenizerBase, length: int, folder: Path
) -> None:
    pack_corpus(PackCorpusConfig(), tokenizer, corpus, folder)
    theirs = first_blocks(textbook(corpus, opened, length))
    said = read_packed_corpus(folder).quality_ids
    ours = open_part(folder, TRAIN).ids[: 2 * len(theirs) + len(said)]
    ours = ours[~np.isin(ours, said)][: len(theirs)]
    if not np.array_equal(ours, theirs[: len(ours)]):
        raise DataError(
            "the textbook's loop has other tokens: expected the same ones, but for those of quality. Look at the tokenizer."
        )


def first_blocks(blocks: ConstantLength) -> np.ndarray:
    """Tokens of the first blocks, int64 [n]."""
    found: Sequence[torch.Tensor] = [block for block, _ in zip(blocks, range(COMPARED), strict=False)]
    return torch.cat(list(found)).numpy()


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Where all of a run lies; it goes with it."""
    return tempfile.TemporaryDirectory(prefix="causal-lm-benchmark-")
