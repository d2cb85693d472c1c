"""A curated corpus of code in files, as the stages read it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tasks.formats.code_tokens import Quality
from tasks.formats.corpus import CORPUS_COLUMNS, CORPUS_SCHEMA, CorpusInfo, write_corpus

File = tuple[str, str] | tuple[str, str, Quality]  # repository, text; medium where nothing is said
Files = Mapping[str, Sequence[File]]  # by split


def write_code_corpus(folder: Path, files: Files, held_out: tuple[str, ...] = ()) -> Path:
    """A corpus whose paths are numbers and whose licence is MIT."""
    tables = {split: _table(texts) for split, texts in files.items()}
    info = CorpusInfo(
        rows={split: len(texts) for split, texts in files.items()},
        bytes={split: sum(len(text.encode()) for _, text, *_ in texts) for split, texts in files.items()},
        repositories={split: len({name for name, *_ in texts}) for split, texts in files.items()},
        licenses={"mit": sum(map(len, files.values()))},
        held_out=held_out,
    )
    write_corpus(
        lambda split, start, end: tables[split].slice(start, end - start), info, folder, rows_per_shard=1_000
    )
    return folder


def _table(files: Sequence[File]) -> pa.Table:
    rows = [
        (text, name, f"{place}.py", "mit", *(quality or ("medium",)))
        for place, (name, text, *quality) in enumerate(files)
    ]
    return pa.Table.from_pylist(
        [dict(zip(CORPUS_COLUMNS, row, strict=True)) for row in rows], schema=CORPUS_SCHEMA
    )
