"""Files of code from a query: the columns that are needed, and the public data set that needs no table."""

from pathlib import Path

import pyarrow as pa
import pytest

from infra.engine.run import RunOptions, open_run, run_options
from infra.errors import ConfigError, DataError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.github_repos import build_tables
from infra.warehouse.installed import installed_distributions
from infra.warehouse.protocol import Query
from tasks.data.extraction.code_rows import code_rows
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import extract_own_table
from tasks.data.extraction.query import load_query
from tasks.data.extraction.source import pin
from tasks.data.extraction.stages import pin_sources
from tests.conftest import ROOT
from tests.infra.distributions import install

RECIPE = ROOT / "flows" / "recipes" / "data" / "github_python" / "extract.sql"


def batch(**columns: list[object]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_rows_are_numbered_through_all_batches() -> None:
    one = batch(path=["a.py"], text=["x"], license=["mit"], repo_name=["one"], size=[1])
    made = [row for part in code_rows(iter([one, one]), "the result") for row in part.to_pylist()]
    assert made == [
        {"text": "x", "repo_name": "one", "path": "a.py", "license": "mit", "row": number}
        for number in (1, 2)
    ]


def test_the_number_of_copies_comes_along_where_the_query_has_it() -> None:
    one = batch(path=["a.py"], text=["x"], license=["mit"], repo_name=["one"], copies=[3])
    (made,) = code_rows(iter([one]), "the result")
    assert made.to_pylist()[0]["copies"] == 3
    with pytest.raises(DataError, match="'copies' holds string: expected whole numbers"):
        list(code_rows(iter([batch(**{**one.to_pydict(), "copies": ["3"]})]), "the result"))


def test_a_column_that_is_missing_or_no_text_is_named() -> None:
    with pytest.raises(
        DataError, match=r"no column 'text': it has content, .*Expected text, repo_name, path, license"
    ):
        list(
            code_rows(
                iter([batch(content=["x"], repo_name=["one"], path=["a"], license=["mit"])]), "the result"
            )
        )
    with pytest.raises(DataError, match=r"column 'license' holds int64: expected text"):
        list(code_rows(iter([batch(text=["x"], repo_name=["one"], path=["a"], license=[1])]), "the result"))


def test_code_needs_a_query(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,license\na,b\n")
    table = (tmp_path / "a.csv",)
    with pytest.raises(ConfigError, match=r"extract\.kind is code and there is no query"):
        extract_own_table(ExtractConfig(kind="code", table=table), pin(table), tmp_path)


def recipe_rows(folder: Path, **parameters: object) -> list[dict[str, object]]:
    asked = load_query(RECIPE, parameters)  # type: ignore[arg-type]
    warehouse = DuckDBWarehouse({path.stem: path for path in folder.glob("*.parquet")})
    query = Query(asked.sql, 10**9, asked.parameters, asked.name)
    return [row for part in warehouse.stream(query) for row in part.to_pylist()]


def test_the_recipe_takes_each_allowed_content_once_and_a_stable_sample(tmp_path: Path) -> None:
    site = tmp_path / "site"
    body = "x = 1\n" * 200
    install(site, "b", {"b/same.py": body, "b/notes.txt": body + "\n", "b/small.py": "x = 1\n"})
    install(
        site,
        "a",
        {"a/same.py": body, "a/a.py": body + "#", "a/b.py": "#" * 1_000_001, "a/raw.py": b"\0" * 2_000},
    )
    install(site, "c", {"c/c.py": body + "##"}, license="GPL-3.0-only")
    install(site, "d", {f"d/{i:03}.py": f"{body}{i}" for i in range(200)})
    folder = build_tables(tmp_path / "warehouse", installed_distributions([str(site)]))
    every = recipe_rows(folder, sample_percent=100)
    assert [row["path"] for row in every] == ["a/a.py", "a/same.py", *(f"d/{i:03}.py" for i in range(200))]
    assert {row["license"] for row in every} == {"mit"}
    some = recipe_rows(folder, sample_percent=30)
    assert 30 < len(some) < 90
    assert [row for row in every if row in some] == some, "a sample is a part of all, in the same order"
    assert recipe_rows(folder, sample_percent=100, licenses=("gpl-3.0-only",))[0]["path"] == "c/c.py"


@pytest.mark.usefixtures("home")
def test_a_dry_run_says_what_would_be_made_and_makes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ExtractConfig(kind="code", query=RECIPE)
    with run_options(RunOptions(dry_run=True)), open_run("plan", config):
        pin_sources(config)
    assert "would make bigquery-public-data.github_repos of" in capsys.readouterr().err
    assert not home.exists()
