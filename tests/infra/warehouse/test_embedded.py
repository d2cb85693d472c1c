"""The embedded warehouse: BigQuery's SQL over parquet files."""

import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, WarehouseError
from infra.settings import Settings
from infra.warehouse.connect import open_warehouse
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import BATCH_ROWS
from tests.infra.warehouse.queries import asked, rows


@pytest.fixture
def embedded(files: dict[str, Path]) -> DuckDBWarehouse:
    return DuckDBWarehouse(files)


def test_dry_run_counts_rows_and_only_bytes_of_columns_that_are_read(embedded: DuckDBWarehouse) -> None:
    one = embedded.dry_run(asked("SELECT id FROM queries WHERE id > 1"))
    more = embedded.dry_run(asked("SELECT id, text FROM queries"))
    everything = embedded.dry_run(asked("SELECT * FROM queries"))
    assert (one.rows, more.rows) == (3, 4)
    assert 0 < one.bytes < more.bytes < everything.bytes
    assert everything.bytes == embedded.tables(asked("SELECT * FROM queries"))[0].bytes


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT text\nFROM queries\nWHERE", r"my\.sql, line 3, column 1: syntax error near `WHERE`"),
        ("SELEC text FROM queries", r"line 1, column 12: syntax error near `FROM`"),
        ("SELECT text -- it's\nFROM `queries", r"line 2, column 6: a quote, .* never closed"),
        (
            "SELECT\n  q.txt FROM queries q",
            r"line 2, column 5: no column `txt`.*id, intent, text \(closest: text\)",
        ),
        ("SELECT text FROM querys", r"column 18: no table `querys`.*domains, queries \(closest: queries\)"),
        ("SELECT x.text FROM queries q", r"nothing in FROM or JOIN is called `x`"),
        ("SELECT SOUNDEX(text) FROM queries", r"SOUNDEX is not supported"),
        ("SELECT 'FROM' AS textt, -- textt\n txt FROM queries", r"line 2, column 2: no column `txt`"),
        ("SELECT MY_FUNCTION(text) FROM queries", r"column 8: function MY_FUNCTION has no counterpart"),
        ("SELECT text FROM queries TABLESAMPLE SYSTEM (10 PERCENT)", r"MOD\(ABS\(FARM_FINGERPRINT"),
        ("SELECT text FROM `p.d.events_*` WHERE _TABLE_SUFFIX = '1'", r"wildcard table .*UNION ALL"),
        ("SELECT _TABLE_SUFFIX FROM queries", r"_TABLE_SUFFIX has no counterpart.*UNION ALL"),
        ("SELECT text FROM queries FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01'", r"FOR SYSTEM_TIME"),
        ("DECLARE x INT64 DEFAULT 1; SELECT x", r"DECLARE .*query parameters"),
        ("EXPORT DATA OPTIONS(uri='gs://x') AS SELECT 1", r"EXPORT DATA"),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x); SELECT f(1)", r"CREATE cannot run"),
        ("DROP TABLE queries", r"holds DROP: expected one SELECT"),
        ("SELECT 1; SELECT 2", r"SELECT, SELECT: expected one SELECT"),
        ("-- nothing", r"holds nothing"),
        ("SELECT text FROM queries WHERE id = ?", r"positional parameters"),
        ("SELECT @@session_id", r"system variables"),
        ("SELECT @x, text FROM queries", r"uses @x without a value.*--extract\.parameters\.x"),
        ("SELECT text, COUNT(*) FROM queries", r"must appear in the GROUP BY"),
        ("SELECT * FROM read_csv('/etc/passwd')", r"my\.sql"),
    ],
)
def test_a_query_that_cannot_run_is_explained_at_its_place(
    embedded: DuckDBWarehouse, sql: str, message: str
) -> None:
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        embedded.stream(asked(sql))


def test_a_fault_in_the_middle_of_the_rows_is_a_warehouse_error(embedded: DuckDBWarehouse) -> None:
    batches = embedded.stream(asked("SELECT CAST(text AS INT64) AS x FROM queries"))
    with pytest.raises(
        WarehouseError, match=r"my\.sql cannot be run: Could not convert string 'freeze my card'"
    ):
        list(batches)


def test_a_million_rows_stream_in_constant_memory_and_in_order(tmp_path: Path) -> None:
    path, rows_each = tmp_path / "big.parquet", 50_000
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, 1_000_000, rows_each):
            ids = range(start, start + rows_each)
            writer.write_table(
                pa.table({"id": ids, "text": [f"{i * 7919 % 1_000_003:0100}" for i in ids]}, schema)
            )
    embedded = DuckDBWarehouse({"big": path}, spill=tmp_path, memory_mb=64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    expected = 0
    for batch in embedded.stream(asked("SELECT id, text FROM big WHERE MOD(id, 2) = 0")):
        assert batch.num_rows == BATCH_ROWS
        assert batch.column("id")[0].as_py() == expected
        expected += 2 * batch.num_rows
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert expected == 1_000_000
    assert grown < 100, f"{grown:.0f} MB more for a result of 100 MB"
    assert (
        sum(batch.num_rows for batch in embedded.stream(asked("SELECT text FROM big ORDER BY text")))
        == 1_000_000
    )
    assert list(tmp_path.iterdir()) == [path], "what was spilt is gone"


def test_a_query_that_cannot_stream_within_its_memory_is_said(tmp_path: Path) -> None:
    texts = [f"{i:0200}" for i in range(200_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "big.parquet")
    embedded = DuckDBWarehouse({"big": tmp_path / "big.parquet"}, spill=tmp_path, memory_mb=20)
    with pytest.raises(WarehouseError, match="needs more memory than the warehouse may use"):
        list(embedded.stream(asked("SELECT ARRAY_AGG(text) AS texts FROM big")))


def test_bytes_are_an_upper_bound_where_columns_cannot_be_told(embedded: DuckDBWarehouse) -> None:
    sql = "SELECT word FROM queries AS q, UNNEST(SPLIT(q.text, ' ')) AS word"
    plan = embedded.dry_run(asked(sql))
    assert plan.rows == 10
    assert plan.bytes <= embedded.dry_run(asked("SELECT * FROM queries")).bytes


def test_what_duckdb_says_of_itself_counts_no_bytes_of_a_table(embedded: DuckDBWarehouse) -> None:
    settings = "SELECT value FROM duckdb_settings()"
    assert embedded.dry_run(asked(f"{settings}, queries")).bytes == 0


def test_columns_of_any_type_are_read(tmp_path: Path) -> None:
    table = {
        "day": pa.array([19_000], pa.int32()).cast(pa.date32()),
        "at": pa.array([1], pa.timestamp("us")),
        "words": [["a", "b"]],
        "pair": [{"left": 1, "right": 2}],
        "price": pa.array([1], pa.decimal128(10, 2)),
    }
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    embedded = DuckDBWarehouse({"t": tmp_path / "t.parquet"})
    assert embedded.dry_run(asked("SELECT day, at, words, pair, price FROM t")).bytes > 0
    (row,) = rows(embedded, asked("SELECT day, at, words, pair.right AS r, price FROM t"))
    assert (str(row["day"]), row["words"], row["r"]) == ("2022-01-08", ["a", "b"], 2)


def test_a_day_ends_when_it_does_in_bigquery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    late = datetime(2024, 5, 1, 23, 30, tzinfo=UTC)
    pq.write_table(pa.table({"at": pa.array([late], pa.timestamp("us", "UTC"))}), tmp_path / "t.parquet")
    embedded = DuckDBWarehouse({"t": tmp_path / "t.parquet"})
    (batch,) = embedded.stream(asked("SELECT at, CAST(DATE(at) AS STRING) AS day FROM t"))
    monkeypatch.undo()
    time.tzset()
    assert batch.schema.field("at").type == pa.timestamp("us", "UTC")
    assert batch.to_pylist() == [{"at": late, "day": "2024-05-01"}]


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("text,label\n")
    with pytest.raises(WarehouseError, match=r"table a .*expected a parquet file"):
        DuckDBWarehouse({"a": tmp_path / "a.parquet"})


def test_the_setting_names_the_warehouse(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "t.parquet")
    opened = open_warehouse(Settings(warehouse="duckdb"), {"t": tmp_path / "t.parquet"})
    assert opened.dry_run(asked("SELECT text FROM t")).rows == 1
    with pytest.raises(ConfigError, match="expected duckdb, or bigquery://"):
        open_warehouse(Settings(warehouse="snowflake://x"))
    with pytest.raises(ConfigError, match="cannot be names of tables"):
        open_warehouse(Settings(warehouse="duckdb://"), {"a b": tmp_path / "t.parquet"})
