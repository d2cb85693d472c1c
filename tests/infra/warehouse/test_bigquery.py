"""BigQuery's real clients against a server that speaks its protocols: what is paid, what breaks, what is said."""

import logging
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.oauth2.credentials import Credentials

from infra.errors import ConfigError, CostCapError, StillhouseError, WarehouseError
from infra.settings import Settings
from infra.warehouse.bigquery import BigQueryWarehouse
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.connect import open_warehouse
from infra.warehouse.place import BigQueryPlace, read_place
from infra.warehouse.protocol import Query
from infra.warehouse.streams import Patience
from tests.fakes.bigquery import FakeBigQuery, bigquery_server
from tests.fakes.bigquery_faults import CUT, QUOTA, RATE_LIMIT, UNAVAILABLE, Fault, refused
from tests.infra.warehouse.conftest import PLACE, connected
from tests.infra.warehouse.queries import asked, rows

CANARY = "ya29.canary-5b1f0c"
EVERY = asked("SELECT id, text FROM queries ORDER BY id", key="k")
ROWS = 20_000


@pytest.fixture
def many(tmp_path: Path) -> dict[str, Path]:
    path = tmp_path / "many.parquet"
    pq.write_table(pa.table({"id": range(ROWS), "text": [f"text {i}" for i in range(ROWS)]}), path)
    return {"many": path}


def test_the_price_is_said_first_and_nothing_is_paid(fake: FakeBigQuery) -> None:
    plan = connected(fake).dry_run(EVERY)
    assert plan.rows is None and plan.bytes > 0
    assert plan.usd == pytest.approx(plan.bytes / 2**40 * 6.25)
    assert fake.billed == []


def test_above_the_cap_nothing_is_run_or_billed(fake: FakeBigQuery) -> None:
    with pytest.raises(CostCapError, match=r"the cap is 10 bytes, so nothing was run"):
        connected(fake).stream(asked(EVERY.sql, max_bytes=10))
    assert (fake.billed, fake.jobs) == ([], {})


def test_a_cap_that_the_server_passes_is_a_cap_and_a_higher_one_runs(fake: FakeBigQuery) -> None:
    fake.minimum_billed = 10_000_000  # BigQuery bills at least 10 MB a table, which a dry run does not say.
    with pytest.raises(CostCapError, match=r"passed its cap of 5,000 bytes.*10000000 or higher required"):
        connected(fake).stream(asked(EVERY.sql, max_bytes=5_000, key="k"))
    assert fake.billed == []
    assert len(rows(connected(fake), asked(EVERY.sql, key="k"))) == 4
    assert len(fake.billed) == 1


def test_the_job_has_cap_labels_and_bound_parameters(fake: FakeBigQuery) -> None:
    labels = {"flow": "end_to_end", "run": "0193-AB", "recipe": "Intents v2"}
    query = Query(
        "SELECT id FROM queries WHERE text = @t", 10**9, {"t": "x' OR '1'='1"}, "my.sql", "k", labels
    )
    assert rows(connected(fake), query) == []
    (job,) = fake.jobs.values()
    configuration = job["configuration"]
    assert isinstance(configuration, dict)
    assert configuration["labels"] == {"flow": "end_to_end", "run": "0193-ab", "recipe": "intents_v2"}
    assert configuration["query"]["maximumBytesBilled"] == str(10**9)
    assert configuration["query"]["query"] == query.sql
    assert configuration["query"]["queryParameters"][0]["parameterValue"] == {"value": "x' OR '1'='1"}


def test_one_key_is_paid_once_also_after_a_crash(fake: FakeBigQuery) -> None:
    first = connected(fake)
    next(first.stream(EVERY))  # and the process dies
    second = connected(fake)
    assert len(rows(second, EVERY)) == 4
    assert len(fake.billed) == 1
    assert second.execution(EVERY).job == first.execution(EVERY).job == f"tests:EU.{fake.billed[0]}"
    rows(second, asked(EVERY.sql, key="other"))
    rows(second, asked(EVERY.sql))
    rows(second, asked(EVERY.sql))
    assert len(set(fake.billed)) == 4, "another key, and no key, are paid for"


def test_a_job_whose_rows_are_gone_is_run_again(fake: FakeBigQuery) -> None:
    rows(connected(fake), EVERY)
    fake.tables.results.clear()  # BigQuery keeps them for a day.
    assert len(rows(connected(fake), EVERY)) == 4
    assert len(fake.billed) == 2


def test_a_job_that_failed_for_no_fault_of_the_query_is_run_again(fake: FakeBigQuery) -> None:
    fake.faults.jobs = [("jobBackendError", "Retry the job.")]
    assert len(rows(connected(fake), EVERY)) == 4
    assert len(fake.jobs) == 2


def test_several_streams_are_read_where_no_order_is_asked_for(many: dict[str, Path]) -> None:
    with bigquery_server(many) as fake:
        read: list[str] = []
        fake.faults.stream = lambda name: read.append(name)  # type: ignore[func-returns-value]
        ordered = rows(connected(fake), asked("SELECT id FROM many ORDER BY id"))
        unordered = rows(connected(fake), asked("SELECT id FROM many"))
        again = rows(connected(fake), asked("SELECT id FROM many"))
    assert [row["id"] for row in ordered] == list(range(ROWS))
    assert unordered == again != ordered
    assert sorted(int(str(row["id"])) for row in unordered) == list(range(ROWS))


def test_a_stream_that_is_told_to_wait_is_read_on(
    fake: FakeBigQuery, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = [RATE_LIMIT, RATE_LIMIT]
    fake.faults.stream = lambda name: refusals.pop() if name == "rows" and refusals else None
    with caplog.at_level(logging.WARNING):
        assert [row["id"] for row in rows(connected(fake), EVERY)] == [1, 2, 3, 4]
    assert "failed while rows were read (times: 2)" in caplog.text


def test_rows_that_are_not_taken_leave_no_thread(many: dict[str, Path]) -> None:
    with bigquery_server(many) as fake:
        batches = connected(fake).stream(asked("SELECT id FROM many"))
        fake.faults.slow = 0.05  # so that calls are under way when the reader goes
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith("bigquery-stream")]
        assert left == []


def test_rest_stands_in_where_a_session_is_not_permitted(
    fake: FakeBigQuery, caplog: pytest.LogCaptureFixture
) -> None:
    denied = refused(403, "accessDenied", "Permission 'bigquery.readsessions.create' denied")
    fake.faults.stream = lambda name: denied if name == "session" else None
    with caplog.at_level(logging.WARNING):
        assert [row["id"] for row in rows(connected(fake), EVERY)] == [1, 2, 3, 4]
    assert "is read by REST" in caplog.text and "BigQuery Read Session User" in caplog.text


@pytest.mark.parametrize(
    ("address", "fault", "message"),
    [
        ("/jobs", QUOTA, r"a quota of the project tests is used up.*Quotas"),
        ("/jobs", RATE_LIMIT, r"turned requests of tests away as too many.*Run again later"),
        ("/jobs", UNAVAILABLE, r"could not be reached.*https://status\.cloud\.google\.com"),
        ("/jobs", CUT, r"could not be reached"),
        (
            "/jobs",
            refused(403, "accessDenied", "Access Denied: Project tests: no permission bigquery.jobs.create"),
            r"access was denied for my\.sql.*BigQuery Job User",
        ),
        (
            "/jobs",
            refused(404, "notFound", "Not found: Dataset tests:lake was not found in location EU"),
            r"Dataset tests:lake was not found.*data set and location in STILLHOUSE_WAREHOUSE",
        ),
        (
            "/queries/",
            refused(400, "resourcesExceeded", "Resources exceeded during query execution"),
            r"too large for one query.*Drop ORDER BY",
        ),
    ],
)
def test_what_the_server_refuses_is_said_with_the_remedy(
    fake: FakeBigQuery, address: str, fault: Fault, message: str
) -> None:
    fake.faults.on[address] = fault
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        connected(fake, patience_s=1).stream(EVERY)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            refused(404, "", "session stillhouse/s has expired"),
            r"has expired.*within 6 hours.*not paid twice",
        ),
        (refused(429, "", "Quota exceeded for quota metric 'ReadRows data plane'"), r"quota .*is used up"),
        (UNAVAILABLE, r"could not be reached"),
    ],
)
def test_a_stream_that_cannot_be_read_on_is_said(fake: FakeBigQuery, fault: Fault, message: str) -> None:
    fake.faults.stream = lambda name: fault if name == "rows" else None
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        rows(connected(fake, patience_s=1), EVERY)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT text\nFROM queries\nWHERE", r"my\.sql, line 3, column 1: syntax error near `WHERE`"),
        ("SELECT\n  txt FROM queries q", r"line 2, column 3: no column `txt`"),
        ("SELECT text FROM querys", r"Table tests:lake\.querys was not found.*looked up in lake"),
        ("DROP TABLE queries", r"holds DROP: expected one SELECT"),
        ("SELECT CAST(text AS INT64) AS x FROM queries", r"Could not convert"),
    ],
)
def test_a_bad_query_is_shown_at_its_place(fake: FakeBigQuery, sql: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        rows(connected(fake), asked(sql))


def test_a_token_is_sent_and_never_said(fake: FakeBigQuery, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def with_token(token: str) -> BigQueryWarehouse:
        clients = BigQueryClients(PLACE, fake.endpoint, fake.storage_endpoint, Credentials(token=token))
        return BigQueryWarehouse(clients, 6.25, "rest", Patience(1))

    fake.token = CANARY
    good = with_token(CANARY)
    assert len(rows(good, EVERY)) == 4
    fake.token = "another"
    with pytest.raises(ConfigError, match="gcloud auth application-default login") as raised:
        rows(good, EVERY)
    said: BaseException | None = raised.value
    while said is not None:
        assert CANARY not in str(said)
        said = said.__cause__
    assert raised.value.__cause__ is None
    assert CANARY not in caplog.text and CANARY not in repr(good.execution(EVERY))


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_credentials_that_are_missing_or_broken_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    key = tmp_path / "key.json"
    if content is not None:
        key.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    with pytest.raises(ConfigError, match="gcloud auth application-default login"):
        open_warehouse(Settings(warehouse="bigquery://project")).dry_run(EVERY)


@pytest.mark.parametrize(
    "endpoint", ["http://bigquery.example.org", "bigquery.example.org", "http://10.0.0.1:80"]
)
def test_credentials_are_sent_to_nobody_in_the_clear(endpoint: str) -> None:
    settings = Settings(warehouse="bigquery://project", bigquery_endpoint=endpoint)
    with pytest.raises(ConfigError, match=r"STILLHOUSE_BIGQUERY_ENDPOINT=.*expected https://"):
        open_warehouse(settings).dry_run(EVERY)


def test_the_setting_says_project_data_set_and_location() -> None:
    assert read_place("bigquery://my-project/lake?location=EU") == BigQueryPlace("my-project", "lake", "EU")
    assert read_place("bigquery://my-project") == BigQueryPlace("my-project")
    for wrong in ("bigquery://", "bigquery:project", "bigquery://p/a/b", "bigquery://project/d?region=EU"):
        with pytest.raises(StillhouseError, match=r"expected bigquery://PROJECT/DATASET"):
            read_place(wrong)
