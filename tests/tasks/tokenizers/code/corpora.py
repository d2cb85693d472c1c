"""A curated corpus of code in files, as the stages read it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tasks.formats.corpus import describe, write_corpus

Files = Mapping[str, Sequence[tuple[str, str]]]  # split: repository, text


def write_code_corpus(folder: Path, files: Files, held_out: tuple[str, ...] = ()) -> Path:
    """A corpus whose paths are numbers and whose licence is MIT."""
    rows = [
        (text, name, f"{place}.py", "mit", split)
        for split, texts in files.items()
        for place, (name, text) in enumerate(texts)
    ]
    columns = ("text", "repo_name", "path", "license", "split")
    table = pa.table(
        {name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}
    )
    info = describe(table, tuple(files)).model_copy(update={"held_out": held_out})
    write_corpus(table, info, folder, rows_per_shard=1_000)
    return folder
