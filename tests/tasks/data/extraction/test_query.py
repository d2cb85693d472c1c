"""A .sql file: parameters declared at its head, typed and with defaults; tables of any kind; its result as rows."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError, DataError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.protocol import Query
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import QueryResult, extract_query
from tasks.data.extraction.query import Parameter, load_query
from tasks.data.extraction.source import pin
from tasks.data.extraction.sql_tables import sql_tables
from tasks.formats.extraction import ExtractRecord, Provenance
from tests.conftest import ROOT

RECIPE = ROOT / "flows" / "recipes" / "end_to_end" / "clinc150"
HEAD = """-- @param domains ARRAY<STRING> = []   which
-- @param share INT64 = 100
--   @param weight FLOAT64 = 6.67
-- @param name STRING = 'a b' what
-- @param strict BOOL = false
-- @param needed STRING
SELECT 1
"""


def sql_file(folder: Path, sql: str) -> Path:
    (folder / "my.sql").write_text(sql)
    return folder / "my.sql"


def extracted(config: ExtractConfig, folder: Path) -> tuple[list[dict[str, object]], ExtractRecord]:
    """What the stage does, without the house around it."""
    sources = pin(config.table)
    asked = load_query(config.query or Path(), config.parameters)
    tables, notes = sql_tables(sources, folder / "tables")
    warehouse, query = (
        DuckDBWarehouse(tables),
        Query(asked.sql, config.max_bytes, asked.parameters, asked.name),
    )
    described = {file.sql_name: table for file, table in zip(sources.files, sources.described, strict=True)}
    names = tuple(table.name for table in warehouse.tables(query))
    plan = warehouse.dry_run(query)
    provenance = Provenance(
        sql_executed=warehouse.execution(query).sql,
        bytes=plan.bytes,
        sources=tuple(described[name] for name in names),
        notes=notes,
    )
    result = QueryResult(warehouse.stream(query), plan.rows, names, provenance)
    output = folder / "output"
    output.mkdir(parents=True)
    extract_query(config, asked, result, output)
    rows = [row for path in sorted(output.glob("rows-*.parquet")) for row in pq.read_table(path).to_pylist()]
    return rows, ExtractRecord.model_validate_json((output / "extract.json").read_bytes())


def test_parameters_have_the_declared_types_and_defaults(tmp_path: Path) -> None:
    asked = load_query(sql_file(tmp_path, HEAD), {})
    assert asked.parameters == {"domains": (), "share": 100, "weight": 6.67, "name": "a b", "strict": False}
    assert type(asked.parameters["share"]) is int


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("domains", "banking,travel", ("banking", "travel")),
        ("domains", ("banking",), ("banking",)),
        ("domains", "", ()),
        ("share", "12", 12),
        ("weight", 3, 3.0),
        ("strict", "True", True),
        ("name", 7, "7"),
    ],
)
def test_a_value_from_the_command_line_becomes_the_declared_type(
    tmp_path: Path, name: str, given: Parameter, value: Parameter
) -> None:
    found = load_query(sql_file(tmp_path, HEAD), {name: given}).parameters[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given"), [("share", "many"), ("share", 1.5), ("share", True), ("weight", "x"), ("strict", 2)]
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, name: str, given: Parameter) -> None:
    with pytest.raises(
        ConfigError, match=rf"--extract\.parameters\.{name} is .*expected (INT64|FLOAT64|BOOL)"
    ):
        load_query(sql_file(tmp_path, HEAD), {name: given})


def test_a_file_that_is_no_query_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file"):
        load_query(tmp_path / "none.sql", {})
    (tmp_path / "bad.sql").write_bytes(b"SELECT '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_query(tmp_path / "bad.sql", {})
    with pytest.raises(ConfigError, match=r"@param share NUMBER = 3' cannot be read"):
        load_query(sql_file(tmp_path, "-- @param share NUMBER = 3\nSELECT 1"), {})


def test_a_pipe_and_a_folder_are_no_query(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sql")
    for path in (tmp_path / "pipe.sql", tmp_path):
        with pytest.raises(ConfigError, match=r"a folder, a pipe or a device: expected a \.sql file"):
            load_query(path, {})


def test_the_recipe_gives_every_query_with_its_intent(tmp_path: Path) -> None:
    rows, record = extracted(ExtractConfig(query=RECIPE / "intents.sql", table=(RECIPE,)), tmp_path)
    assert {split: sum(row["split"] == split for row in rows) for split in ("train", "validation", "test")} == {
        "train": 7_600, "validation": 3_100, "test": 4_950,
    }  # fmt: skip
    assert len({row["label"] for row in rows}) == 151
    assert {tuple(row) for row in rows} == {("text", "label", "split", "row")}
    assert [row["row"] for row in rows] == list(range(1, 15_651))
    assert [source.name for source in record.sources] == ["domains", "queries"]
    assert {source.licence for source in record.sources} == {"cc-by-3.0"}
    assert sum(path.stat().st_size for path in RECIPE.iterdir()) < 1_000_000


def test_chosen_domains_make_another_assistant_of_the_same_query(tmp_path: Path) -> None:
    config = ExtractConfig(
        query=RECIPE / "intents.sql", table=(RECIPE,), parameters={"domains": "banking,travel"}
    )
    rows, record = extracted(config, tmp_path)
    labels = {str(row["label"]) for row in rows}
    assert len(rows) == 15_650 and len(labels) == 31 and {"freeze_account", "book_flight", "oos"} <= labels
    assert record.parameters["domains"] == ("banking", "travel")


def test_the_recipes_sample_is_the_same_each_time(tmp_path: Path) -> None:
    config = ExtractConfig(query=RECIPE / "intents.sql", table=(RECIPE,), parameters={"sample_percent": 12})
    rows, _ = extracted(config, tmp_path / "a")
    again, _ = extracted(config, tmp_path / "b")
    assert rows == again and 0.10 < len(rows) / 15_650 < 0.14
    first, second = (tmp_path / name / "output" / "rows-00000.parquet" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_query_joins_files_of_any_kind_by_their_names(tmp_path: Path) -> None:
    lines = "id,words,priority,code,opened\n1,one,3,007,2024-01-02\n2,two,1,010,2024-02-30\n3,,2,011,\n"
    (tmp_path / "tickets.csv").write_text(lines)
    (tmp_path / "teams.jsonl").write_text(
        '{"code": "007", "team": "sales"}\n{"code": "011", "team": "billing"}\n'
    )
    sql = """SELECT t.words AS text, m.team AS label FROM tickets AS t LEFT JOIN teams AS m USING (code)
             WHERE t.priority >= 2 ORDER BY t.id"""
    config = ExtractConfig(query=sql_file(tmp_path, sql), table=(tmp_path,))
    rows, record = extracted(config, tmp_path)
    assert rows == [{"text": "one", "label": "sales", "row": 1}, {"text": None, "label": "billing", "row": 2}]
    assert [source.name for source in record.sources] == ["teams", "tickets"]
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "tables" / "tickets.parquet")}
    assert types == {
        "id": "int64",
        "words": "string",
        "priority": "int64",
        "code": "string",
        "opened": "string",
    }


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2"], "int64"),
        (["1", "2.5", "1e3"], "double"),
        (["true", "False"], "bool"),
        (["2024-01-02"], "date32[day]"),
        (["2024-01-02 03:04:05", "2024-01-02T03:04:05.25"], "timestamp[us]"),
        (["99999999999999999999"], "double"),
        (["01"], "string"),
        (["1", "x"], "string"),
        ([""], "string"),
    ],
)
def test_a_csv_column_has_the_type_that_says_every_cell(tmp_path: Path, cells: list[str], kind: str) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{cell},a\n" for cell in cells))
    tables, _ = sql_tables(pin([tmp_path / "t.csv"]), tmp_path / "tables")
    assert str(pq.read_schema(tables["t"]).field("x").type) == kind


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT words AS txt, 'x' AS label FROM tickets",
            r"result of my\.sql has no column 'text': it has txt, label \(closest: txt\)",
        ),
        (
            "SELECT words AS text, words AS text, 'x' AS label FROM tickets",
            r"result of my\.sql has 'text' more than once: expected a name for each",
        ),
        ("SELECT words AS text, 'x' AS label FROM tickets WHERE id > 9", r"my\.sql gives no rows"),
        ("SELECT words AS text, 'x' AS label, 'a' AS split FROM tickets", r"the split is 'a'"),
    ],
)
def test_a_result_that_is_not_labelled_text_is_refused(tmp_path: Path, sql: str, message: str) -> None:
    (tmp_path / "tickets.csv").write_text("id,words\n1,one\n2,two\n")
    with pytest.raises(DataError, match=message):
        extracted(ExtractConfig(query=sql_file(tmp_path, sql), table=(tmp_path / "tickets.csv",)), tmp_path)


def test_a_weight_of_rows_is_refused_with_what_stands_for_it(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("id,words\n1,one\n2,two\n")
    sql = sql_file(tmp_path, "SELECT words AS text, 'x' AS label, 6.67 AS weight FROM tickets")
    with pytest.raises(ConfigError, match=r"gives `weight`.*--expected-share 0\.18.*leave the column out"):
        extracted(ExtractConfig(query=sql, table=(tmp_path / "tickets.csv",)), tmp_path)


def test_two_files_cannot_have_one_name(tmp_path: Path) -> None:
    for name in ("t.csv", "t.tsv"):
        (tmp_path / name).write_text("text,label\n")
    with pytest.raises(ConfigError, match=r"two tables are called 't'"):
        sql_tables(pin([tmp_path]), tmp_path / "tables")


def test_rows_are_written_in_files_of_a_bounded_size(tmp_path: Path) -> None:
    count = 230_000
    pq.write_table(
        pa.table({"text": [f"t {i}" for i in range(count)], "label": ["x", "y"] * (count // 2)}),
        tmp_path / "t.parquet",
    )
    config = ExtractConfig(
        query=sql_file(tmp_path, "SELECT text, label FROM t"), table=(tmp_path / "t.parquet",)
    )
    rows, record = extracted(config, tmp_path)
    written = [
        pq.read_metadata(path).num_rows for path in sorted((tmp_path / "output").glob("rows-*.parquet"))
    ]
    assert written == [100_000, 100_000, 30_000]
    assert (record.rows, rows[-1]) == (count, {"text": "t 229999", "label": "y", "row": count})
    assert json.loads((tmp_path / "output" / "provenance.json").read_text())["sql_executed"].startswith(
        'SELECT "text"'
    )
