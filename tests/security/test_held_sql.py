"""What the review tried on SQL and databases and found holding: a query reads the given tables and nothing else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import DataError, WarehouseError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import Query
from tasks.data.extraction.databases import duckdb_batches, sqlite_records, table_names

GIGABYTE = 1_000_000_000
SECRET = "canary5private6row"
REACHING = [
    "SELECT * FROM read_text('{private}.txt')",
    "SELECT * FROM read_blob('{private}.txt')",
    "SELECT * FROM read_csv('{private}.csv')",
    "SELECT * FROM read_csv_auto('{private}.csv')",
    "SELECT * FROM read_json('{private}.json')",
    "SELECT * FROM read_json_objects('{private}.json')",
    "SELECT * FROM read_ndjson('{private}.json')",
    "SELECT * FROM read_parquet('{private}.parquet')",
    "SELECT * FROM parquet_scan('{private}.parquet')",
    "SELECT * FROM parquet_metadata('{private}.parquet')",
    "SELECT * FROM parquet_schema('{private}.parquet')",
    "SELECT * FROM sniff_csv('{private}.csv')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM '{private}.csv'",
    "SELECT * FROM `{private}.csv`",
    'SELECT * FROM "{private}.csv"',
    "SELECT text FROM t UNION ALL SELECT content FROM read_text('{private}.txt')",
    "SELECT (SELECT content FROM read_text('{private}.txt')) FROM t",
    "SELECT * FROM sqlite_scan('{private}.sqlite', 'rows')",
    "SELECT * FROM postgres_scan('host=127.0.0.1 port=9', 'public', 'rows')",
    "SELECT * FROM read_csv('http://127.0.0.1:9/private.csv')",
    "SELECT * FROM read_parquet('s3://bucket/private.parquet')",
    "COPY t TO '{folder}/copied.csv'",
    "COPY (SELECT * FROM t) TO '{folder}/copied.parquet' (FORMAT parquet)",
    "ATTACH '{folder}/attached.duckdb' AS other",
    "EXPORT DATABASE '{folder}/exported'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
    "SELECT text FROM t; COPY t TO '{folder}/copied.csv'",
    "SELECT getenv('HOME')",
    "SELECT text FROM duckdb_secrets(), t",
]


@pytest.mark.parametrize("sql", REACHING)
def test_a_query_reaches_no_file_no_network_and_no_setting(tmp_path: Path, sql: str) -> None:
    pq.write_table(pa.table({"text": ["public"]}), tmp_path / "t.parquet")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    private = folder / "private"
    for ending in ("txt", "csv", "json"):
        private.with_suffix(f".{ending}").write_text(f'{{"a": "{SECRET}"}}\n')
    pq.write_table(pa.table({"a": [SECRET]}), private.with_suffix(".parquet"))
    with closing(sqlite3.connect(private.with_suffix(".sqlite"))) as database:
        database.execute("CREATE TABLE rows (a)")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    query = Query(sql.format(private=private, folder=folder), GIGABYTE, {}, "my.sql", None)
    with pytest.raises(WarehouseError) as refused:
        list(DuckDBWarehouse({"t": tmp_path / "t.parquet"}).stream(query))
    assert SECRET not in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_view_in_a_duckdb_file_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text(SECRET)
    with duckdb.connect(str(tmp_path / "rows.duckdb")) as connection:
        connection.execute(
            f"CREATE VIEW rows AS SELECT content AS text FROM read_text('{tmp_path}/private.txt')"
        )
    with pytest.raises(DataError, match=r"rows\.duckdb::rows cannot be read") as refused:
        list(duckdb_batches(tmp_path / "rows.duckdb", "rows"))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "view", ["SELECT writefile('{folder}/written', 'x')", "SELECT load_extension('{folder}/theirs')",
             "SELECT readfile('{folder}/rows.sqlite')", "SELECT edit('x')"]
)  # fmt: skip
def test_a_view_in_a_sqlite_file_calls_nothing_that_reaches_out(tmp_path: Path, view: str) -> None:
    path = tmp_path / "rows.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE VIEW rows AS {view.format(folder=tmp_path)} AS text")
    with pytest.raises(DataError, match=r"rows\.sqlite cannot be read"):
        list(sqlite_records(path, "rows"))
    assert [each.name for each in tmp_path.iterdir()] == ["rows.sqlite"]


def test_the_name_of_a_table_is_a_name_and_no_sql(tmp_path: Path) -> None:
    path, name = tmp_path / "rows.sqlite", "a\"b'; DROP TABLE t; --"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (text)")
        database.execute('CREATE TABLE "{}" (text)'.format(name.replace('"', '""')))
        database.execute('INSERT INTO "{}" VALUES (1)'.format(name.replace('"', '""')))
    assert list(sqlite_records(path, name)) == [(1,)]
    assert table_names(path)[0] == sorted([name, "t"])
