"""What memory the curation of code takes, by the size of the corpus: peak of its process, with and without the near index.

    python -m tests.benchmarks.corpus_memory --data ../shared/data --mb 150 1500

A corpus of any size is made of the shared files: each pass over them gives every name an ending of its own, so that no file is
near another. Each size is curated in a process of its own, without near copies and with them. What both leave of it is the
rise of the first from size to size, which is to be small, and the bytes a file that the index takes.
"""

import argparse
import gzip
import json
import keyword
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from infra.errors import DataError
from tasks.data.curation.code.curate import curate_files
from tasks.data.curation.config import CurateCodeConfig
from tests.benchmarks.tables import table

NAME = re.compile(r"(?<![\w\"'])[a-zA-Z_]\w{2,}")
SIZES_MB = (150, 1_500)
AT_A_TIME = 200


class Peak(NamedTuple):
    """Of one run: files that came in, bytes at the peak."""

    files: int
    bytes: int


def renamed(text: str, ending: int) -> str:
    """A file with another ending to each of its names, but keywords."""
    return NAME.sub(lambda match: match[0] if keyword.iskeyword(match[0]) else f"{match[0]}_{ending}", text)


def files_of(data: Path) -> Iterator[tuple[str, str, str, str]]:
    """Text, repository, path and licence of the shared files, again and again, renamed from the second time on."""
    shards = sorted((data / "python_code").glob("*.jsonl.gz"))
    if not shards:
        raise DataError(f"{data / 'python_code'} has no files: expected the shared data. Give its folder.")
    for ending in count():
        for shard in shards:
            with gzip.open(shard, "rt", encoding="utf-8") as lines:
                for row in map(json.loads, lines):
                    text = renamed(row["content"], ending) if ending else row["content"]
                    yield text, row["repo_name"], f"{ending}/{row['path']}", row["license"]


def write_extract(data: Path, size: int, folder: Path) -> None:
    """An extract of at least `size` bytes."""
    schema = pa.schema(
        {**dict.fromkeys(("text", "repo_name", "path", "license"), pa.string()), "row": pa.int64()}
    )
    written, rows, number = 0, list[tuple[str, str, str, str, int]](), 0
    with pq.ParquetWriter(folder / "rows-00000.parquet", schema, compression="zstd") as writer:
        for number, one in enumerate(files_of(data), start=1):
            rows.append((*one, number))
            written += len(one[0].encode())
            if len(rows) == AT_A_TIME or written >= size:
                columns = [list(column) for column in zip(*rows, strict=True)]
                writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema))
                rows.clear()
            if written >= size:
                return


def curate(extract: Path, near: bool) -> Peak:
    """Curate in this process; its peak. Processes that judge files are others, and the same for any size."""
    config = CurateCodeConfig(file_share=0.01, workers=2, near_duplicate_threshold=0.85 if near else None)
    with tempfile.TemporaryDirectory(dir=extract) as output:
        metrics = curate_files(config, extract, Path(output))
    return Peak(int(metrics["rows_in"]), _high_water())


def _high_water() -> int:
    """The most bytes this program had (getrusage also counts what its parent had before it was started)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(data: Path, size: int) -> tuple[Peak, Peak]:
    """Peaks without and with near copies, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="corpus-memory-") as folder:
        write_extract(data, size, Path(folder))
        command = [sys.executable, "-m", "tests.benchmarks.corpus_memory", "--curate", folder]
        told = [
            subprocess.run([*command, *more], check=True, capture_output=True, text=True).stdout
            for more in ((), ("--near",))
        ]
    plain, near = (Peak(*json.loads(text)) for text in told)
    return plain, near


def described(found: dict[int, tuple[Peak, Peak]]) -> str:
    """A row a size: peaks, how much of the smallest's the first is, and the index' bytes a file."""
    smallest = found[min(found)][0].bytes
    rows = [
        [
            f"{size / 1e6:,.0f}",
            f"{plain.files:,}",
            f"{plain.bytes / 1e6:.0f}",
            f"{plain.bytes / smallest:.2f}",
            f"{near.bytes / 1e6:.0f}",
            f"{max(near.bytes - plain.bytes, 0) / plain.files:,.0f}",
        ]
        for size, (plain, near) in sorted(found.items())
    ]
    heads = [
        "MB of text",
        "files",
        "peak, MB",
        "of the smallest",
        "with near copies, MB",
        "index, bytes a file",
    ]
    return table(heads, rows)


def main(arguments: Sequence[str]) -> int:
    """Measure each size, print the table; or be the process that curates."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.corpus_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder of the shared real data")
    parser.add_argument("--mb", type=float, nargs="+", default=SIZES_MB, help="sizes of the corpora")
    parser.add_argument("--curate", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--near", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.curate is not None:
        print(json.dumps(curate(asked.curate, asked.near)))
        return 0
    sizes = [int(size * 1e6) for size in asked.mb]
    print(described({size: measure(asked.data, size) for size in sizes}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
