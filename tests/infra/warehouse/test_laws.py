"""What holds on every warehouse: the same SQL, parameters, order, cap and messages."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import CostCapError, WarehouseError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import BATCH_ROWS, ParameterValue, Query, Warehouse
from tasks.data.extraction.query import load_query
from tests.infra.warehouse.conftest import Opened
from tests.infra.warehouse.queries import GIGABYTE, asked, rows

RECIPE = Path(__file__).parents[3] / "flows" / "recipes" / "end_to_end" / "clinc150"


def test_runs_bigquery_sql_with_bound_parameters(warehouse: Warehouse) -> None:
    sql = """
        SELECT q.id, IF(ARRAY_LENGTH(@domains) = 0 OR d.domain IN UNNEST(@domains), q.intent, 'oos') AS label
        FROM `project.data_set.queries` AS q LEFT JOIN domains AS d ON d.intent = q.intent
        WHERE q.id < @limit ORDER BY q.id
    """
    labels = [row["label"] for row in rows(warehouse, asked(sql, domains=("bank",), limit=4))]
    assert labels == ["freeze", "oos", "oos"]
    assert [row["label"] for row in rows(warehouse, asked(sql, domains=(), limit=3))] == ["freeze", "flight"]


def test_a_parameter_is_never_part_of_the_text(warehouse: Warehouse) -> None:
    hostile = "x' OR '1'='1"
    assert rows(warehouse, asked("SELECT id FROM queries WHERE text = @text", text=hostile)) == []


def test_farm_fingerprint_is_bigquerys(warehouse: Warehouse) -> None:
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
def test_functions_give_what_bigquery_gives(warehouse: Warehouse, expression: str, value: object) -> None:
    aggregate = "FROM queries" if "text" in expression or "intent" in expression else ""
    assert rows(warehouse, asked(f"SELECT {expression} AS x {aggregate}")) == [{"x": value}]


def test_a_name_in_with_hides_the_table_only_outside_of_it(warehouse: Warehouse) -> None:
    sql = "WITH queries AS (SELECT id FROM queries WHERE id > 2) SELECT q.id FROM queries AS q ORDER BY id"
    assert [row["id"] for row in rows(warehouse, asked(sql))] == [3, 4]


def test_a_query_above_its_cap_is_refused_before_it_runs(warehouse: Warehouse) -> None:
    refused = asked("SELECT CAST(text AS INT64) AS x FROM queries", max_bytes=10)  # Run, it would fail.
    with pytest.raises(CostCapError, match=r"10 bytes.*nothing was run.*--extract\.max-bytes"):
        warehouse.stream(refused)
    with pytest.raises(CostCapError):
        warehouse.dry_run(refused)


def test_the_same_query_gives_the_same_rows_in_the_same_order(warehouse: Warehouse) -> None:
    query = asked("SELECT intent, COUNT(*) AS n FROM queries GROUP BY intent")
    assert rows(warehouse, query) == rows(warehouse, query)


def test_an_unknown_parameter_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r"has no parameter @domain: it uses @domains"):
        warehouse.stream(asked("SELECT ARRAY_LENGTH(@domains) AS n", domains=(), domain="bank"))


def test_the_caret_stands_under_the_mistake(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError) as raised:
        warehouse.stream(asked("SELECT id,\n       txet\nFROM queries"))
    line, caret = str(raised.value).split("\n")[1:]
    assert line[caret.index("^") :].startswith("txet")


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("it's", "@value"),
        ("", "@value"),
        (2**62, "@value"),
        (6.67, "@value"),
        (True, "@value"),
        (("a", "b c"), "ARRAY_TO_STRING(@value, '|')"),
        ((), "ARRAY_LENGTH(@value)"),
    ],
)
def test_a_parameter_of_every_type_arrives(
    warehouse: Warehouse, value: ParameterValue, expression: str
) -> None:
    ((row,),) = (rows(warehouse, asked(f"SELECT {expression} AS x", value=value)),)
    expected = {("a", "b c"): "a|b c", (): 0}.get(value, value) if isinstance(value, tuple) else value
    assert (row["x"], type(row["x"])) == (expected, type(expected))


def test_batches_are_of_one_size_and_in_order(opened: Opened, tmp_path: Path) -> None:
    count = 2 * BATCH_ROWS + 1
    pq.write_table(pa.table({"id": [(i * 7919) % count for i in range(count)]}), tmp_path / "many.parquet")
    warehouse = opened({"many": tmp_path / "many.parquet"})
    batches = list(warehouse.stream(asked("SELECT id FROM many ORDER BY id")))
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, BATCH_ROWS, 1]
    assert [row["id"] for batch in batches for row in batch.to_pylist()] == list(range(count))


def test_the_recipe_gives_the_same_batches_everywhere(opened: Opened) -> None:
    query = load_query(RECIPE / "intents.sql", {"domains": ("banking", "travel")})
    tables = {name: RECIPE / f"{name}.parquet" for name in ("queries", "domains")}
    asked_of = Query(query.sql, GIGABYTE, query.parameters, query.name)
    expected = list(DuckDBWarehouse(tables).stream(asked_of))
    found = list(opened(tables).stream(asked_of))
    assert [batch.num_rows for batch in found] == [batch.num_rows for batch in expected]
    assert [batch.to_pydict() for batch in found] == [batch.to_pydict() for batch in expected]


def test_tables_are_those_that_the_query_reads(warehouse: Warehouse, files: dict[str, Path]) -> None:
    query = asked("SELECT domain FROM lake.domains")
    (domains,) = warehouse.tables(query)
    assert (domains.name.split(".")[-1], domains.rows) == ("domains", 2)
    pq.write_table(pa.table({"intent": ["freeze"], "domain": ["money"]}), files["domains"])
    (changed,) = warehouse.tables(query)
    assert (changed.rows, changed.digest != domains.digest) == (1, True)
