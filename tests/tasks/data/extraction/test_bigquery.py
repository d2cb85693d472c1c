"""The stage over BigQuery: the same artifact as over files, paid once, and refused when a table changes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.engine.run import RunOptions, open_run, run_options
from infra.errors import DataError
from infra.settings import get_settings
from infra.store.record import BESIDE, PROVENANCE_FILE
from infra.store.shared.opening import open_objects
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import pin_sources, plan_extract
from tasks.formats import extraction as values
from tasks.formats.extraction import Provenance
from tests.fakes.bigquery import FakeBigQuery, bigquery_server
from tests.fakes.object_stores import BUCKET, gcs_server
from tests.tasks.data.extraction.test_stages import RECIPE, extracted, planned, written

CONFIG = ExtractConfig(query=RECIPE / "intents.sql", table=(RECIPE,), parameters={"sample_percent": 20})


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeBigQuery]:
    copies = {name: tmp_path / f"{name}.parquet" for name in ("queries", "domains")}
    for name, path in copies.items():
        pq.write_table(pq.read_table(RECIPE / f"{name}.parquet"), path)
    with bigquery_server(copies) as server:
        yield server


@pytest.fixture
def on_bigquery(fake: FakeBigQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_BIGQUERY_ENDPOINT", fake.endpoint)
    monkeypatch.setenv("STILLHOUSE_BIGQUERY_STORAGE_ENDPOINT", fake.storage_endpoint)
    monkeypatch.setenv("STILLHOUSE_WAREHOUSE", "bigquery://tests/lake?location=EU")
    get_settings.cache_clear()


@pytest.mark.usefixtures("prefect_server", "tracked_home", "on_bigquery")
def test_the_setting_alone_moves_the_query_to_bigquery_and_gives_the_same_artifact(
    fake: FakeBigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, outcome = extracted(CONFIG)
    assert outcome.state == "computed"
    record = Provenance.model_validate_json((written(remote) / PROVENANCE_FILE).read_bytes())
    assert [source.name for source in record.sources] == ["tests.lake.domains", "tests.lake.queries"]
    assert all(source.snapshot for source in record.sources)
    assert record.job == f"tests:EU.{fake.billed[0]}" and record.bytes_billed
    assert "--extract.table was not read" in record.notes[0]
    assert extracted(CONFIG)[1].state == "cached"
    assert len(fake.billed) == 1
    assert fake.jobs[fake.billed[0]]["configuration"]["labels"]["flow"] == "extract_only"  # type: ignore[index]

    monkeypatch.setenv("STILLHOUSE_WAREHOUSE", "duckdb")
    get_settings.cache_clear()
    local, outcome = extracted(CONFIG)
    assert (outcome.state, local.digest) == ("computed", remote.digest)
    assert local.uri != remote.uri, "two artifacts with one content"
    for path in sorted(written(local).glob("rows-*")):
        assert path.read_bytes() == (written(remote) / path.name).read_bytes()


@pytest.mark.usefixtures("home", "on_bigquery")
def test_a_dry_run_says_the_price_and_pays_nothing(
    fake: FakeBigQuery, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(CONFIG)
    assert plan.rows is None and plan.usd is not None and plan.usd < 0.01
    assert "for less than $0.01 and give an unknown number of rows" in " ".join(
        capsys.readouterr().err.split()
    )
    assert fake.billed == []


@pytest.mark.usefixtures("home", "on_bigquery")
def test_a_query_without_an_order_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "any.sql").write_text("SELECT text, intent AS label FROM queries")
    (note,) = planned(ExtractConfig(query=tmp_path / "any.sql")).notes
    assert "any.sql has no ORDER BY" in note


@pytest.mark.usefixtures("home", "on_bigquery")
def test_a_table_that_changed_since_it_was_pinned_is_refused(fake: FakeBigQuery) -> None:
    with run_options(RunOptions(dry_run=True)), open_run("plan", CONFIG):
        pinned = pin_sources(CONFIG)
        assert pinned.uri.startswith("bigquery://tests/lake?location=EU#tests.lake.domains")
        path = fake.tables.files["domains"]
        pq.write_table(pa.table({"intent": ["freeze"], "domain": ["money"]}), path)
        os.utime(path, (1, 1))
        with pytest.raises(DataError, match="changed since this run began"):
            plan_extract(CONFIG, pinned)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "tracked_home", "on_bigquery")
def test_two_settings_move_a_large_result_by_way_of_a_bucket(
    fake: FakeBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "any.sql").write_text("SELECT text, intent AS label FROM queries")
    with gcs_server() as fake.storage:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake.storage)
        monkeypatch.setenv("STILLHOUSE_BIGQUERY_EXPORT", f"gs://{BUCKET}/exports")
        monkeypatch.setenv("STILLHOUSE_BIGQUERY_EXPORT_OVER_GB", "0")
        get_settings.cache_clear()
        written_to, outcome = extracted(ExtractConfig(query=tmp_path / "any.sql"))
        left = open_objects(f"gs://{BUCKET}/exports", 1, 60).sizes("")
    assert (outcome.state, len(fake.exports), left) == ("computed", 1, {})
    found = [
        text
        for path in sorted(written(written_to).glob("rows-*"))
        for text in pq.read_table(path)["text"].to_pylist()
    ]
    assert sorted(found) == sorted(pq.read_table(RECIPE / "queries.parquet")["text"].to_pylist())


def test_how_rows_were_come_by_is_beside_the_artifact_and_not_of_it() -> None:
    assert values.PROVENANCE_FILE == PROVENANCE_FILE
    assert PROVENANCE_FILE in BESIDE
