"""The cap on what is read counts what comes out of a file, not how small it was packed."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.configs.data import COMMAND
from infra.errors import CostCapError
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.own_table import open_own_table, plan_own_table
from tasks.data.extraction.source import pin

CAP = 1_000_000  # bytes
ROWS = 60_000
WORDS = "where is my parcel"


def packed_csv(folder: Path) -> Path:
    path = folder / "t.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + f"{WORDS},x\n{WORDS},y\n".encode() * (ROWS // 2)))
    return path


def packed_json(folder: Path) -> Path:
    path = folder / "t.jsonl.gz"
    lines = "".join(f"{json.dumps({'text': WORDS, 'label': 'x'})}\n" for _ in range(ROWS))
    path.write_bytes(gzip.compress(lines.encode()))
    return path


def parquet_of_one_long_cell(folder: Path) -> Path:
    path = folder / "t.parquet"
    table = pa.table({"text": ["a " * CAP], "label": ["x"]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    return path


def parquet_of_one_repeated_word(folder: Path) -> Path:
    """Its pages are small even unpacked: the word stands there once, and the rows are its number."""
    path = folder / "t.parquet"
    pq.write_table(pa.table({"text": [WORDS * 100] * 1_000, "label": ["x"] * 1_000}), path)
    return path


def duckdb_file(folder: Path) -> Path:
    path = folder / "t.duckdb"
    with closing(duckdb.connect(str(path))) as database:
        database.execute(f"CREATE TABLE t AS SELECT '{WORDS}' AS text, 'x' AS label FROM range({ROWS * 10})")
    return path


def view_without_end(folder: Path) -> Path:
    path = folder / "t.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            f"CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {ROWS}) "
            f"SELECT '{WORDS}' AS text, 'x' AS label FROM n"
        )
    return Path(f"{path}::v")


MADE = [
    packed_csv,
    packed_json,
    parquet_of_one_long_cell,
    parquet_of_one_repeated_word,
    duckdb_file,
    view_without_end,
]


@pytest.mark.parametrize("made", MADE)
def test_a_small_file_with_much_in_it_is_refused(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    config, source = ExtractConfig(max_bytes=CAP), pin([made(tmp_path)])
    assert source.bytes < CAP
    with pytest.raises(
        CostCapError, match=r"[\d,]+ bytes were found so far.*the cap is 1,000,000.*--extract\.max-bytes"
    ):
        plan_own_table(open_own_table(config, source))


def test_several_files_count_together(tmp_path: Path) -> None:
    content = gzip.compress(b"text,label\n" + f"{WORDS},x\n".encode() * 30_000)
    for name in ("a.csv.gz", "b.csv.gz"):
        (tmp_path / name).write_bytes(content)
    alone = open_own_table(ExtractConfig(max_bytes=CAP), pin([tmp_path / "a.csv.gz"]))
    assert plan_own_table(alone).rows == 30_000
    with pytest.raises(CostCapError, match="so far"):
        open_own_table(ExtractConfig(max_bytes=CAP), pin([tmp_path]))


def test_a_parquet_file_is_refused_before_its_pages_are_read(tmp_path: Path) -> None:
    path = parquet_of_one_long_cell(tmp_path)
    content = bytearray(path.read_bytes())
    content[4:24] = b"\xff" * 20  # Whoever reads the first page finds it damaged.
    path.write_bytes(content)
    with pytest.raises(CostCapError):
        plan_own_table(open_own_table(ExtractConfig(max_bytes=CAP), pin([path])))


@pytest.mark.usefixtures("home")
def test_what_a_query_has_to_unpack_counts_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The rows of a CSV are converted before the query is run, however few of them it takes."""
    (tmp_path / "asked.sql").write_text("SELECT text, label FROM t LIMIT 1")
    table, asked = packed_csv(tmp_path), ["--extract.query", str(tmp_path / "asked.sql")]
    cap = ["--extract.max-bytes", f"{CAP}"]
    assert COMMAND.main(["--dry-run", "--extract.table", str(table), *asked, *cap]) == 2
    assert "were found so far" in capfd.readouterr().err
