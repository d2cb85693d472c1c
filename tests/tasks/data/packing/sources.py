"""Tables and curated data sets of texts that the tests pack."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.extraction.source import pin
from tasks.data.packing.config import PackConfig
from tasks.data.packing.documents import TableTexts
from tasks.formats.corpus import CORPUS_FILE, CorpusInfo
from tasks.formats.kinds import SourceRef
from tasks.formats.value import write_value

NO_SPLITS = PackConfig(length=8, validation_share=0, test_share=0)


def lines(path: Path, texts: Sequence[str | None], **columns: Sequence[object]) -> Path:
    """JSON lines with `text`, and no label."""
    names = ["text", *columns]
    rows = (dict(zip(names, row, strict=True)) for row in zip(texts, *columns.values(), strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def opened(config: PackConfig, *paths: Path) -> TableTexts:
    return TableTexts(pin(paths).files, config)


def pinned(*paths: Path) -> SourceRef:
    tables = pin(paths)
    return SourceRef(uri=tables.uri, digest=tables.digest)


def corpus(folder: Path, **splits: Sequence[str]) -> Path:
    """A curated corpus: texts in splits, without labels."""
    (folder / "data").mkdir(parents=True)
    for split, texts in splits.items():
        pq.write_table(pa.table({"text": texts}), folder / "data" / f"{split}-00000-of-00001.parquet")
    counts = {split: len(texts) for split, texts in splits.items()}
    write_value(folder / CORPUS_FILE, CorpusInfo(rows=counts, bytes=counts, repositories=counts, licenses={}))
    return folder
