"""The embedded warehouse: BigQuery's SQL over parquet files."""

import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, CostCapError, WarehouseError
from infra.warehouse.connect import open_warehouse
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import Query

GIGABYTE = 1_000_000_000


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    queries = {
        "id": [1, 2, 3, 4],
        "text": ["freeze my card", "book a flight", "what's up", 'l\'été "quoted"'],
        "intent": ["freeze", "flight", "oos", None],
    }
    pq.write_table(pa.table(queries), tmp_path / "queries.parquet")
    pq.write_table(
        pa.table({"intent": ["freeze", "flight"], "domain": ["bank", "travel"]}), tmp_path / "domains.parquet"
    )
    return DuckDBWarehouse({name: tmp_path / f"{name}.parquet" for name in ("queries", "domains")})


def asked(
    sql: str, max_bytes: int = GIGABYTE, **parameters: str | int | float | bool | tuple[str, ...]
) -> Query:
    return Query(sql, max_bytes, parameters, "my.sql")


def rows(warehouse: DuckDBWarehouse, query: Query) -> list[dict[str, object]]:
    return [row for batch in warehouse.stream(query) for row in batch.to_pylist()]


def test_runs_bigquery_sql_with_bound_parameters(warehouse: DuckDBWarehouse) -> None:
    sql = """
        SELECT q.id, IF(ARRAY_LENGTH(@domains) = 0 OR d.domain IN UNNEST(@domains), q.intent, 'oos') AS label
        FROM `project.data_set.queries` AS q LEFT JOIN domains AS d ON d.intent = q.intent
        WHERE q.id < @limit ORDER BY q.id
    """
    labels = [row["label"] for row in rows(warehouse, asked(sql, domains=("bank",), limit=4))]
    assert labels == ["freeze", "oos", "oos"]
    assert [row["label"] for row in rows(warehouse, asked(sql, domains=(), limit=3))] == ["freeze", "flight"]


def test_a_parameter_is_never_part_of_the_text(warehouse: DuckDBWarehouse) -> None:
    hostile = "x' OR '1'='1"
    assert rows(warehouse, asked("SELECT id FROM queries WHERE text = @text", text=hostile)) == []


def test_farm_fingerprint_is_bigquerys(warehouse: DuckDBWarehouse) -> None:
    # The table in BigQuery's reference: rows (1, "foo", true), (2, "apple", false) and (3, "", true).
    sql = "SELECT FARM_FINGERPRINT(CONCAT(@x, @y, @z)) AS f, FARM_FINGERPRINT(intent) AS n FROM queries WHERE id = 4"
    for x, y, z, value in (
        ("1", "foo", "true", -1541654101129638711),
        ("2", "apple", "false", 2794438866806483259),
        ("3", "", "true", -4880158226897771312),
    ):
        assert rows(warehouse, asked(sql, x=x, y=y, z=z)) == [{"f": value, "n": None}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("FORMAT('%d rows', 3)", "3 rows"),
        ("ARRAY_TO_STRING(ARRAY_AGG(text ORDER BY id LIMIT 2), '|')", "freeze my card|book a flight"),
        ("COUNTIF(intent IS NULL)", 1),
        ("SAFE_CAST('x' AS INT64)", None),
        ("MAX(REGEXP_CONTAINS(text, r'\\bcard\\b'))", True),
    ],
)
def test_functions_give_what_bigquery_gives(
    warehouse: DuckDBWarehouse, expression: str, value: object
) -> None:
    aggregate = "FROM queries" if "text" in expression or "intent" in expression else ""
    assert rows(warehouse, asked(f"SELECT {expression} AS x {aggregate}")) == [{"x": value}]


def test_a_name_in_with_hides_the_table_only_outside_of_it(warehouse: DuckDBWarehouse) -> None:
    sql = "WITH queries AS (SELECT id FROM queries WHERE id > 2) SELECT q.id FROM queries AS q ORDER BY id"
    assert [row["id"] for row in rows(warehouse, asked(sql))] == [3, 4]


def test_dry_run_counts_rows_and_only_bytes_of_columns_that_are_read(warehouse: DuckDBWarehouse) -> None:
    one = warehouse.dry_run(asked("SELECT id FROM queries WHERE id > 1"))
    more = warehouse.dry_run(asked("SELECT id, text FROM queries"))
    everything = warehouse.dry_run(asked("SELECT * FROM queries"))
    assert (one.rows, more.rows) == (3, 4)
    assert 0 < one.bytes < more.bytes < everything.bytes
    assert everything.bytes == warehouse.tables(asked("SELECT * FROM queries"))[0].bytes


def test_a_query_above_its_cap_is_refused_before_it_runs(warehouse: DuckDBWarehouse) -> None:
    refused = asked("SELECT CAST(text AS INT64) AS x FROM queries", max_bytes=10)  # Run, it would fail.
    with pytest.raises(CostCapError, match=r"10 bytes.*nothing was run.*--extract\.max-bytes"):
        warehouse.stream(refused)
    with pytest.raises(CostCapError):
        warehouse.dry_run(refused)


def test_tables_are_those_that_the_query_reads(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    (domains,) = warehouse.tables(asked("SELECT domain FROM domains"))
    assert (domains.name, domains.rows) == ("domains", 2)
    pq.write_table(pa.table({"intent": ["freeze"], "domain": ["money"]}), tmp_path / "domains.parquet")
    assert warehouse.tables(asked("SELECT domain FROM domains"))[0].digest != domains.digest


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
    warehouse: DuckDBWarehouse, sql: str, message: str
) -> None:
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        warehouse.stream(asked(sql))


def test_the_caret_stands_under_the_mistake(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError) as raised:
        warehouse.stream(asked("SELECT id,\n       txet\nFROM queries"))
    line, caret = str(raised.value).split("\n")[1:]
    assert line[caret.index("^") :].startswith("txet")


def test_a_fault_in_the_middle_of_the_rows_is_a_warehouse_error(warehouse: DuckDBWarehouse) -> None:
    batches = warehouse.stream(asked("SELECT CAST(text AS INT64) AS x FROM queries"))
    with pytest.raises(
        WarehouseError, match=r"my\.sql cannot be run: Could not convert string 'freeze my card'"
    ):
        list(batches)


def test_an_unknown_parameter_is_refused(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError, match=r"has no parameter @domain: it uses @domains"):
        warehouse.stream(asked("SELECT ARRAY_LENGTH(@domains) AS n", domains=(), domain="bank"))


def test_a_million_rows_stream_in_constant_memory_and_in_order(tmp_path: Path) -> None:
    path, rows_each = tmp_path / "big.parquet", 50_000
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, 1_000_000, rows_each):
            ids = range(start, start + rows_each)
            writer.write_table(
                pa.table({"id": ids, "text": [f"{i * 7919 % 1_000_003:0100}" for i in ids]}, schema)
            )
    warehouse = DuckDBWarehouse({"big": path}, spill=tmp_path, memory_mb=64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    expected = 0
    for batch in warehouse.stream(asked("SELECT id, text FROM big WHERE MOD(id, 2) = 0")):
        assert batch.num_rows <= 10_000
        assert batch.column("id")[0].as_py() == expected
        expected += 2 * batch.num_rows
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert expected == 1_000_000
    assert grown < 100, f"{grown:.0f} MB more for a result of 100 MB"
    assert (
        sum(batch.num_rows for batch in warehouse.stream(asked("SELECT text FROM big ORDER BY text")))
        == 1_000_000
    )
    assert list(tmp_path.iterdir()) == [path], "what was spilt is gone"


def test_a_query_that_cannot_stream_within_its_memory_is_said(tmp_path: Path) -> None:
    texts = [f"{i:0200}" for i in range(200_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "big.parquet")
    warehouse = DuckDBWarehouse({"big": tmp_path / "big.parquet"}, spill=tmp_path, memory_mb=20)
    with pytest.raises(WarehouseError, match="needs more memory than the warehouse may use"):
        list(warehouse.stream(asked("SELECT ARRAY_AGG(text) AS texts FROM big")))


def test_bytes_are_an_upper_bound_where_columns_cannot_be_told(warehouse: DuckDBWarehouse) -> None:
    sql = "SELECT word FROM queries AS q, UNNEST(SPLIT(q.text, ' ')) AS word"
    plan = warehouse.dry_run(asked(sql))
    assert plan.rows == 10
    assert plan.bytes <= warehouse.dry_run(asked("SELECT * FROM queries")).bytes


def test_the_same_query_gives_the_same_rows_in_the_same_order(warehouse: DuckDBWarehouse) -> None:
    query = asked("SELECT intent, COUNT(*) AS n FROM queries GROUP BY intent")
    assert rows(warehouse, query) == rows(warehouse, query)


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("text,label\n")
    with pytest.raises(WarehouseError, match=r"table a .*expected a parquet file"):
        DuckDBWarehouse({"a": tmp_path / "a.parquet"})


def test_the_setting_names_the_warehouse(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "t.parquet")
    opened = open_warehouse("duckdb", {"t": tmp_path / "t.parquet"})
    assert opened.dry_run(asked("SELECT text FROM t")).rows == 1
    with pytest.raises(ConfigError, match="BigQuery is not in this version"):
        open_warehouse("bigquery://project", {})
    with pytest.raises(ConfigError, match="expected duckdb"):
        open_warehouse("snowflake://x", {})
    with pytest.raises(ConfigError, match="cannot be names of tables"):
        open_warehouse("duckdb://", {"a b": tmp_path / "t.parquet"})
