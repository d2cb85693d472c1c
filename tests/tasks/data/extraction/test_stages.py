"""The stage in the house: a real flow, its cache, and what a dry run says."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.engine.run import RunOptions, StageOutcome, open_run, run_options
from infra.errors import ConfigError, DataError, StillhouseError
from infra.settings import get_settings
from infra.store.artifacts import Store
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.formats.extraction import ExtractPlan, ExtractRecord
from tasks.formats.kinds import DatasetRef, SourceRef

from prefect import flow  # isort: skip
from tests.conftest import ROOT

RECIPE = ROOT / "flows" / "recipes" / "end_to_end" / "clinc150"
QUERY = "SELECT words AS text, kind AS label FROM tickets WHERE id >= @first"


@flow(name="extract_only")
def extracted(config: ExtractConfig) -> tuple[DatasetRef, StageOutcome]:
    with open_run("extract_only", config) as run:
        rows = extract(config, pin_sources(config))
        return rows, run.outcomes[-1]


def planned(config: ExtractConfig) -> ExtractPlan:
    with run_options(RunOptions(dry_run=True)), open_run("plan", config):
        return plan_extract(config, pin_sources(config))


@pytest.fixture
def tickets(tmp_path: Path) -> ExtractConfig:
    (tmp_path / "tickets.csv").write_text("id,words,kind\n1,one,a\n2,two,b\n")
    (tmp_path / "my.sql").write_text(QUERY)
    return ExtractConfig(
        query=tmp_path / "my.sql", table=(tmp_path / "tickets.csv",), parameters={"first": 1}
    )


def written(ref: DatasetRef) -> Path:
    return Store(get_settings()).path(ref)


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_only_what_was_asked_and_what_the_tables_hold_is_in_the_key(
    tickets: ExtractConfig, tmp_path: Path
) -> None:
    first, outcome = extracted(tickets)
    assert outcome.state == "computed"
    assert [row["text"] for row in pq.read_table(written(first) / "rows-00000.parquet").to_pylist()] == [
        "one",
        "two",
    ]

    table, query = tmp_path / "elsewhere" / "tickets.csv", tmp_path / "copy.sql"
    table.parent.mkdir()
    table.write_bytes((tmp_path / "tickets.csv").read_bytes())
    query.write_text(QUERY)
    moved = tickets.model_copy(update={"table": (table,), "query": query, "max_bytes": 10**6})
    again, outcome = extracted(moved)
    assert (outcome.state, again.digest) == ("cached", first.digest)

    table.write_text("id,words,kind\n1,one,a\n2,TWO,b\n")
    assert extracted(moved)[1].state == "computed"
    assert extracted(tickets.model_copy(update={"parameters": {"first": 2}}))[1].state == "computed"
    query.write_text(QUERY + " ORDER BY id DESC")
    assert extracted(moved)[1].state == "computed"


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_an_own_table_says_what_it_chose(
    tickets: ExtractConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ref, _ = extracted(ExtractConfig(table=tickets.table, text_column="words", label_column="kind"))
    record = ExtractRecord.model_validate_json((written(ref) / "extract.json").read_bytes())
    assert (record.rows, record.columns) == (2, {"text": "words", "label": "kind"})
    (tmp_path / "more.csv").write_text("summary;section\na;x\nb;y\n")
    extracted(ExtractConfig(table=(tmp_path / "more.csv",)))
    said = " ".join(capsys.readouterr().err.split())
    assert "text is column 'summary'" in said and "delimited by semicolon" in said


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_failed_extract_leaves_the_store_as_it_was(tickets: ExtractConfig, tmp_path: Path) -> None:
    for sql in (
        "SELECT wrds AS text FROM tickets",
        "SELECT words AS text, kind AS label FROM tickets WHERE id > 9",
    ):
        (tmp_path / "bad.sql").write_text(sql)
        with pytest.raises(StillhouseError, match=r"bad\.sql"):
            extracted(ExtractConfig(query=tmp_path / "bad.sql", table=tickets.table))
    assert list(Store(get_settings()).records("extract")) == []


@pytest.mark.usefixtures("home")
def test_a_dry_run_says_rows_and_bytes(tickets: ExtractConfig, home: Path) -> None:
    recipe = planned(ExtractConfig(query=RECIPE / "intents.sql", table=(RECIPE,)))
    assert recipe.rows == 15_650
    assert 700_000 < recipe.bytes < 1_000_000
    assert planned(tickets.model_copy(update={"parameters": {"first": 2}})).rows == 1
    own = planned(ExtractConfig(table=tickets.table, text_column="words", label_column="kind"))
    assert (own.rows, own.bytes) == (2, tickets.table[0].stat().st_size)
    assert not home.exists(), "a dry run writes nothing"


@pytest.mark.usefixtures("home")
def test_a_table_that_changed_since_it_was_pinned_is_refused(tickets: ExtractConfig) -> None:
    with run_options(RunOptions(dry_run=True)), open_run("plan", tickets):
        pinned = pin_sources(tickets)
        assert isinstance(pinned, SourceRef)
        tickets.table[0].write_text("id,words,kind\n1,other,a\n")
        with pytest.raises(DataError, match="changed since this run began"):
            plan_extract(tickets, pinned)


@pytest.mark.usefixtures("home")
def test_no_table_is_said() -> None:
    nothing = ExtractConfig()
    with (
        run_options(RunOptions(dry_run=True)),
        open_run("plan", nothing),
        pytest.raises(ConfigError, match=r"--extract\.table"),
    ):
        pin_sources(nothing)
