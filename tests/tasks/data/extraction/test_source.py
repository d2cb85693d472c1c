"""Which files are meant, and the digest that pins them."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, DataError
from tasks.data.extraction.source import SourceFile, pin, specs_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "my data; v1"
    place.mkdir()
    (place / "train.csv").write_text("text,label\na,x\n")
    (place / "test.csv").write_text("text,label\nb,y\n")
    (place / "README.md").write_text("not a table")
    (place / ".hidden.csv").write_text("nor this")
    return place


def test_a_folder_is_its_tables_in_an_order_of_its_own(folder: Path) -> None:
    assert [file.name for file in pin([folder]).files] == ["test.csv", "train.csv"]
    assert pin([folder / "train.csv", folder / "test.csv"]).digest == pin([folder]).digest


def test_the_digest_follows_content_and_names_and_not_places(folder: Path, tmp_path: Path) -> None:
    pinned = pin([folder])
    copied = shutil.copytree(folder, tmp_path / "elsewhere")
    assert pin([copied]).digest == pinned.digest
    (copied / "train.csv").write_text("text,label\na,z\n")
    assert pin([copied]).digest != pinned.digest
    (folder / "train.csv").rename(folder / "dev.csv")
    assert pin([folder]).digest != pinned.digest


def test_the_uri_finds_the_tables_again(folder: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "é #1.parquet")
    pinned = pin([folder, tmp_path / "é #1.parquet"])
    assert pin(specs_of(pinned.uri)).digest == pinned.digest
    assert specs_of("file:///a%20b.sqlite#my%20tickets") == (Path("/a b.sqlite::my tickets"),)


def test_two_colons_may_be_in_the_name_of_a_file_and_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "a::b.csv").write_text("text,label\na,x\n")
    pinned = pin([tmp_path / "a::b.csv"])
    assert [file.name for file in pinned.files] == ["a::b.csv"]
    assert pin(specs_of(pinned.uri)).digest == pin([tmp_path]).digest == pinned.digest
    with closing(sqlite3.connect(tmp_path / "c::d.sqlite")) as database:
        database.execute('CREATE TABLE "e::f" (text TEXT)')
    pinned = pin([Path(f"{tmp_path}/c::d.sqlite::e::f")])
    assert pinned.files[0].table == "e::f" and specs_of(pinned.uri) == pinned.specs
    with pytest.raises(ConfigError, match=r"none\.sqlite does not exist"):
        pin([Path(f"{tmp_path}/none.sqlite::t")])


def test_an_attribution_beside_the_tables_goes_with_them(folder: Path) -> None:
    before = pin([folder])
    said = '{"title": "T", "licence": "cc-by-4.0", "attribution": "by them", "url": "https://x"}'
    (folder / "attribution.json").write_text(said)
    after = pin([folder])
    assert {table.licence for table in after.described} == {"cc-by-4.0"}
    assert after.digest != before.digest
    (folder / "attribution.json").write_text('{"title": "T"}')
    with pytest.raises(ConfigError, match=r"licence: Field required"):
        pin([folder])


@pytest.mark.parametrize(
    ("name", "sql_name", "split"),
    [
        ("tickets.csv", "tickets", None),
        ("train.jsonl.gz", "train", "train"),
        ("dev-00000-of-00002.parquet", "dev_00000_of_00002", "validation"),
        ("2024 export.tsv", "_2024_export", None),
        ("testimonials.csv", "testimonials", None),
        ("Valid.csv", "Valid", "validation"),
    ],
)
def test_names_give_tables_and_splits(name: str, sql_name: str, split: str | None) -> None:
    file = SourceFile(Path("/x") / name, "csv")
    assert (file.sql_name, file.split) == (sql_name, split)


def test_what_is_no_table_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.csv does not exist"):
        pin([tmp_path / "missing.csv"])
    with pytest.raises(ConfigError, match=r"holds no table"):
        pin([tmp_path])
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"book\.xlsx is not a table that is known.*Save it as"):
        pin([tmp_path / "book.xlsx"])
    (tmp_path / "a.csv").write_text("text\n")
    with pytest.raises(ConfigError, match=r"only SQLite and DuckDB files have tables inside"):
        pin([Path(f"{tmp_path / 'a.csv'}::t")])
    import duckdb

    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    with pytest.raises(DataError, match=r"empty\.duckdb has no table"):
        pin([tmp_path / "empty.duckdb"])
