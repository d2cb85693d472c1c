"""Pack: texts become token shards, which language models read in blocks.

Every text is tokenized whole, with the special tokens that its tokenizer puts around it; blocks go over the borders of
documents, so nothing is padded. Only shards are written, as the texts stream by: memory holds one batch, or the longest text.
The course (Hugging Face, chapter 7, section 3) concatenates and cuts a thousand rows at a time and drops what is left of each:
its count is given beside ours.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from infra.errors import DataError
from tasks.data.extraction.source import found_again
from tasks.data.packing.config import PackConfig
from tasks.data.packing.documents import CuratedTexts, SplitTexts, TableTexts
from tasks.data.packing.tokens import TextTokenizer, open_tokenizer
from tasks.formats.kinds import SourceRef
from tasks.formats.packed_tokens import PackedInfo, open_packed, write_packed
from tasks.formats.packing_report import COURSE_ROWS, PackedSplit, PackingReport
from tasks.formats.report_file import write_report


def pack_dataset(config: PackConfig, model: Path, dataset: Path, output: Path) -> dict[str, float]:
    """Pack every split of a curated data set or corpus; see `pack_splits`."""
    return pack_splits(config, open_tokenizer(model), CuratedTexts(dataset), output).metrics()


def pack_tables(config: PackConfig, model: Path, tables: SourceRef, output: Path) -> dict[str, float]:
    """Pack pinned tables with a column of texts; see `pack_splits`. Raises DataError when they changed since."""
    files = found_again(None, tables).files
    return pack_splits(config, open_tokenizer(model), TableTexts(files, config), output).metrics()


def pack_splits(
    config: PackConfig, tokenizer: TextTokenizer, source: SplitTexts, output: Path
) -> PackingReport:
    """Write a folder of packed tokens for each split, and `report.json`.

    Raises DataError for a split that has not even one block, and what `pack_texts` and the source raise.
    """
    splits = {}
    for split in source.splits():
        texts = tqdm(source.texts(split), desc=f"pack {split}", unit=" texts", unit_scale=True, disable=None)
        info = pack_texts(config, tokenizer, texts, output / split)
        left_out = source.left_out[split]
        if info.tokens < config.length:
            raise DataError(
                f"{split} has {info.tokens:,} tokens in {info.documents:,} texts, {info.empty:,} of them empty, and "
                f"{left_out.total():,} were left out: expected {config.length:,} tokens or more, which is one block. Give more "
                "texts, or ask for shorter blocks (--pack.length; of general text --general.length)."
            )
        offsets = open_packed(output / split).offsets
        splits[split] = PackedSplit(
            **info.model_dump(exclude={"vocabulary"}),
            held_out=left_out["held_out"],
            missing=left_out["missing"],
            blocks=info.tokens // config.length,
            dropped=info.tokens % config.length,
            blocks_in_thousands=blocks_in_thousands(offsets, config.length),
        )
    report = PackingReport(length=config.length, splits=splits)
    write_report(output, report)
    return report


def pack_texts(
    config: PackConfig, tokenizer: TextTokenizer, texts: Iterable[str], output: Path
) -> PackedInfo:
    """Write the tokens of a stream of texts, which is read once, as packed tokens.

    Raises DataError for a text that UTF-8 cannot hold, ArtifactError when the tokenizer fails at one, StoreError when the
    disk does not take them.
    """
    batches = tokenizer.batches(texts, config.batch_characters, config.words)
    return write_packed(output, batches, tokenizer.vocabulary)


def blocks_in_thousands(offsets: np.ndarray, length: int) -> int:
    """Blocks that the course would have of the documents between `offsets`, int64 [documents + 1]."""
    borders = np.append(offsets[:-1:COURSE_ROWS], offsets[-1])
    return int((np.diff(borders) // length).sum())
