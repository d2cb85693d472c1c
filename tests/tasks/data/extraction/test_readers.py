"""JSON lines, parquet, SQLite and DuckDB read as the same kind of table."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, DataError
from tasks.data.extraction.readers import TableReader, open_table
from tasks.data.extraction.source import pin

ROWS = [{"text": "freeze my card", "label": "freeze"}, {"text": "l'été", "label": None}]


def opened(path: Path) -> TableReader:
    return open_table(pin([path]).files[0])


def read(table: TableReader) -> list[dict[str, object]]:
    return [row for batch in table.batches() for row in batch.to_pylist()]


def as_jsonl(path: Path) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def as_sqlite(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as database:
        database.execute('CREATE TABLE "my tickets" (text TEXT, label TEXT)')
        database.executemany('INSERT INTO "my tickets" VALUES (:text, :label)', ROWS)
        database.commit()
    return path


def as_duckdb(path: Path) -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute('CREATE TABLE "my tickets" (text VARCHAR, label VARCHAR)')
        connection.executemany('INSERT INTO "my tickets" VALUES (?, ?)', [list(row.values()) for row in ROWS])
    return path


def as_parquet(path: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.fixture(params=["t.jsonl", "t.parquet", "t.sqlite", "t.duckdb", "t.db"])
def table_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    name: str = request.param
    writers = {
        "jsonl": as_jsonl,
        "parquet": as_parquet,
        "sqlite": as_sqlite,
        "duckdb": as_duckdb,
        "db": as_sqlite,
    }
    return writers[name.split(".")[1]](tmp_path / name)


def test_every_kind_of_file_gives_the_same_rows_each_time(table_file: Path) -> None:
    table = opened(table_file)
    assert table.columns == ("text", "label")
    assert read(table) == ROWS
    assert read(table) == ROWS


def test_a_json_column_of_several_kinds_becomes_text_and_a_missing_field_null(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"text": "a", "label": 1, "n": 1}\n\n{"text": "b", "label": "x", "n": 2.5, "more": [1, "é"]}\n'
    )
    assert read(opened(path)) == [
        {"text": "a", "label": "1", "n": 1.0, "more": None},
        {"text": "b", "label": "x", "n": 2.5, "more": '[1, "é"]'},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"}\n{"text": \n', r"line 2: .*Expected one JSON object a line"),
        ('[{"text": "a"}]\n', r"line 1 is a list.*jq -c"),
        ('[\n{"text": "a"}\n]\n', r"line 1: .*jq -c"),
        ("3\n", r"line 1 is a int"),
        ('{"text": "\\ud83d"}\n', r"line 1 has half of a character"),
        ("\n", r"has no rows"),
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(DataError, match=f"(?s){message}"):
        opened(tmp_path / "t.jsonl")


def test_a_pair_of_surrogates_is_one_character(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "\\ud83d\\ude00"}\n')
    assert read(opened(tmp_path / "t.jsonl")) == [{"text": "😀"}]


def test_damaged_files_are_data_errors(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match=r"a\.parquet is not a parquet file"):
        opened(tmp_path / "a.parquet")
    (tmp_path / "b.sqlite").write_bytes(b"SQLite format 3\0" + b"\0" * 200)
    with pytest.raises(DataError, match=r"b\.sqlite"):
        opened(tmp_path / "b.sqlite")
    (tmp_path / "c.db").write_bytes(b"something else altogether")
    with pytest.raises(DataError, match="neither a SQLite nor a DuckDB file"):
        opened(tmp_path / "c.db")
    (tmp_path / "d.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\0" * 200)
    with pytest.raises(DataError, match=r"d\.duckdb cannot be opened"):
        opened(tmp_path / "d.duckdb")


def test_a_damaged_page_of_parquet_is_a_data_error(tmp_path: Path) -> None:
    path = as_parquet(tmp_path / "t.parquet")
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        read(opened(path))


def test_sqlite_text_that_is_not_utf8_and_an_open_log_are_said(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (text TEXT)")
        database.execute("INSERT INTO t VALUES (CAST(x'e9e9' AS TEXT))")
        database.commit()
    with pytest.raises(DataError, match="UTF-8"):
        opened(path)
    (tmp_path / "t.sqlite-wal").write_bytes(b"x")
    with pytest.raises(DataError, match="Close the program"):
        opened(path)


def test_an_empty_table_of_a_database_says_how_to_name_another(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "t.sqlite")) as database:
        database.execute("CREATE TABLE empty (text TEXT)")
    with pytest.raises(DataError, match=r"t\.sqlite::empty has no rows.*as FILE::TABLE \(t\.sqlite::NAME\)"):
        opened(tmp_path / "t.sqlite")


def test_the_types_of_sqlite_cells_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (i INT, f REAL, s TEXT, b BLOB, n INT)")
        database.execute("INSERT INTO t VALUES (1, 2, 'x', x'00ff', NULL)")
        database.commit()
        assert read(opened(path)) == [{"i": 1, "f": 2.0, "s": "x", "b": b"\x00\xff", "n": None}]
        database.execute("INSERT INTO t (b) VALUES ('text')")
        database.commit()
    with pytest.raises(DataError, match="column 'b' mixes text and binary"):
        opened(path)


def test_whole_numbers_beyond_64_bits_and_truth_values(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"big": 9223372036854775808, "yes": true, "int": 1}\n')
    assert read(opened(tmp_path / "t.jsonl")) == [{"big": "9223372036854775808", "yes": True, "int": 1}]


def test_a_table_of_a_database_is_named_after_two_colons(tmp_path: Path) -> None:
    path = as_sqlite(tmp_path / "t.sqlite")
    with closing(sqlite3.connect(path)) as database:
        database.execute('CREATE VIEW other AS SELECT * FROM "my tickets" WHERE label IS NOT NULL')
        database.commit()
    assert [file.table for file in pin([path]).files] == ["my tickets"]  # a view is read where it is named
    assert read(opened(Path(f"{path}::other"))) == ROWS[:1]
    with pytest.raises(ConfigError, match=r"no table 'x': it has my tickets, other"):
        pin([Path(f"{path}::x")])
