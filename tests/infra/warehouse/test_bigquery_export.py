"""Results by way of a bucket: BigQuery's extract jobs, and Cloud Storage's real client behind a proxy that can fail."""

import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.errors import StoreError, WarehouseError
from infra.settings import Settings
from infra.warehouse.bigquery import BigQueryWarehouse
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.connect import open_warehouse
from infra.warehouse.exports import ExportPlace
from infra.warehouse.streams import Patience
from tests.fakes.bigquery import FakeBigQuery, bigquery_server
from tests.fakes.bigquery_extract import SHARD_ROWS
from tests.fakes.bigquery_process import settings_of
from tests.fakes.faulty_proxy import Fault, Proxy
from tests.fakes.object_stores import BUCKET
from tests.infra.warehouse.conftest import PLACE, connected
from tests.infra.warehouse.extract_process import digest_of, finished, started
from tests.infra.warehouse.queries import asked, rows

pytestmark = pytest.mark.slow
ROWS = 20_000
SHARDS = -(-ROWS // SHARD_ROWS)
ALL = asked("SELECT id, text, share, day, seen FROM many", key="k")
SHARD = re.compile(r"GET \S*?(\d{12})\.parquet\?.*alt=media")


@pytest.fixture
def bucket(gcs_proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address that no other test uses."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_proxy.endpoint)
    gcs_proxy.arm(None)
    yield f"gs://{BUCKET}/{uuid4().hex}"
    gcs_proxy.arm(None)


@pytest.fixture
def fake(tmp_path: Path, gcs_proxy: Proxy) -> Iterator[FakeBigQuery]:
    path = tmp_path / "many.parquet"
    table = {
        "id": range(ROWS),
        "text": [None if i % 7 == 0 else f"text {i}" for i in range(ROWS)],
        "label": [f"label {i % 5}" for i in range(ROWS)],
        "share": [i / 3 for i in range(ROWS)],
        "day": pa.array([i % 9_000 for i in range(ROWS)], pa.int32()).cast(pa.date32()),
        "seen": pa.array(range(ROWS), pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(table), path)
    with bigquery_server({"many": path}) as server:
        server.storage = gcs_proxy.upstream
        yield server


def exporting(fake: FakeBigQuery, url: str, spill: Path | None = None, over: float = 0) -> BigQueryWarehouse:
    clients = BigQueryClients(PLACE, fake.endpoint, fake.storage_endpoint)
    return BigQueryWarehouse(clients, 6.25, "storage", Patience(), ExportPlace(url, over, spill))


def fetched(proxy: Proxy) -> list[str]:
    """The number of the shard in each request for one's bytes."""
    return [found[1] for request in proxy.requests if (found := SHARD.match(request))]


def objects(proxy: Proxy, url: str) -> list[str]:
    """What lies in a bucket under an address."""
    from infra.store.shared.opening import open_objects

    return sorted(open_objects(url, 1, 60).sizes(""))


def first_shard(fake: FakeBigQuery, proxy: Proxy, url: str) -> int:
    """Number of the request that asks for the first shard's bytes, in an extraction that asks as all others do."""
    proxy.arm(None)
    rows(exporting(fake, url), asked(f"{ALL.sql} WHERE id >= 0", key="first"))
    return next(i for i, request in enumerate(proxy.requests) if SHARD.match(request))


def test_an_export_gives_the_rows_of_the_storage_read_api(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path
) -> None:
    exported = pa.Table.from_batches(exporting(fake, bucket, tmp_path / "spill").stream(ALL))
    read = pa.Table.from_batches(connected(fake).stream(ALL))
    assert exported.schema == read.schema
    assert exported.sort_by("id").equals(read.sort_by("id"))
    assert len(fake.billed) == len(fake.exports) == 1
    assert len(fetched(gcs_proxy)) == SHARDS
    (job,) = (fake.jobs[name] for name in fake.exports)
    assert job["configuration"]["extract"]["compression"] == "ZSTD"  # type: ignore[index]
    assert objects(gcs_proxy, bucket) == [], "the objects are deleted"
    assert [path for path in (tmp_path / "spill").rglob("*") if path.is_file()] == []


def test_a_result_that_is_small_or_has_an_order_is_not_exported(
    fake: FakeBigQuery, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    ordered = asked("SELECT id FROM many ORDER BY id", key="o")
    with caplog.at_level(logging.WARNING):
        assert len(rows(exporting(fake, bucket, over=10**9), ALL)) == ROWS
        assert caplog.text == ""
        assert [row["id"] for row in rows(exporting(fake, bucket), ordered)] == list(range(ROWS))
    assert fake.exports == []
    assert "has an ORDER BY, which an export does not keep" in caplog.text


def test_a_run_that_comes_after_a_crash_finds_the_finished_export(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path
) -> None:
    batches = exporting(fake, bucket, tmp_path).stream(ALL)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    gcs_proxy.arm(None)
    assert sorted(int(str(row["id"])) for row in rows(exporting(fake, bucket, tmp_path), ALL)) == list(
        range(ROWS)
    )
    assert len(fake.billed) == len(fake.exports) == 1
    assert len(fetched(gcs_proxy)) < SHARDS, "what was fetched is not fetched again"
    assert len(rows(exporting(fake, bucket, tmp_path), ALL)) == ROWS
    assert len(fake.exports) == 2, "an export whose objects are gone is made anew"


def test_a_killed_download_goes_on_without_the_shards_that_are_there(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path
) -> None:
    sql, spill = "SELECT text, label, id AS row FROM many", tmp_path / "spill"
    settings = {
        **settings_of(fake.endpoint, fake.storage_endpoint),
        "STILLHOUSE_BIGQUERY_EXPORT": bucket,
        "STILLHOUSE_BIGQUERY_EXPORT_OVER_GB": "0",
    }
    clean = finished(started(f"{sql} WHERE id >= 0", settings, tmp_path, tmp_path / "clean"))
    at = next(i for i, request in enumerate(gcs_proxy.requests) if SHARD.match(request))
    gcs_proxy.arm(Fault(at=at + 3, kind="hang", onward=True))  # Three shards are answered.
    process = started(sql, settings, spill, tmp_path / "killed")
    while len(there := {path.stem for path in spill.rglob("*.parquet")}) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    gcs_proxy.arm(None)
    again = finished(started(sql, settings, spill, tmp_path / "again"))
    assert again.digest == clean.digest == digest_of(tmp_path / "again") and again.rows == ROWS
    assert sorted({*fetched(gcs_proxy)} | there) == [f"{i:012d}" for i in range(SHARDS)]
    assert not there & {*fetched(gcs_proxy)}, "finished shards are not fetched again"
    assert len(fake.exports) == 2, "the killed run's export was found"


def test_a_shard_that_arrives_damaged_is_fetched_again(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path
) -> None:
    at = first_shard(fake, gcs_proxy, bucket)
    gcs_proxy.arm(Fault(at=at, kind="garble"))
    assert len(rows(exporting(fake, bucket, tmp_path), ALL)) == ROWS
    assert len(fetched(gcs_proxy)) == SHARDS + 1
    gcs_proxy.arm(Fault(at=at, kind="garble", onward=True))
    with pytest.raises(
        WarehouseError, match=r"000000000\d+\.parquet was fetched twice and is not what Cloud Storage says"
    ):
        rows(exporting(fake, bucket, tmp_path), asked(f"{ALL.sql} WHERE id >= 1", key="other"))


def test_what_a_killed_download_left_damaged_is_fetched_again(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path
) -> None:
    batches = exporting(fake, bucket, tmp_path).stream(ALL)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    for path in tmp_path.rglob("0*.parquet"):
        path.write_bytes(b"\0" * path.stat().st_size)
        path.rename(path.with_name(f"{path.name}.partial"))
    assert sorted(int(str(row["id"])) for row in rows(exporting(fake, bucket, tmp_path), ALL)) == list(
        range(ROWS)
    )
    assert len(fake.exports) == 1


@pytest.mark.parametrize("kind", ["status", "cut", "cut_answer"])
def test_a_failure_while_a_shard_is_fetched_changes_no_row(
    fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy, tmp_path: Path, kind: str
) -> None:
    expected = rows(exporting(fake, bucket), asked(f"{ALL.sql} WHERE id >= 0", key="first"))
    at = next(i for i, request in enumerate(gcs_proxy.requests) if SHARD.match(request))
    gcs_proxy.arm(Fault(at=at + 2, kind=kind))  # type: ignore[arg-type]
    assert rows(exporting(fake, bucket, tmp_path), ALL) == expected


def test_an_extract_job_that_failed_for_no_fault_of_its_own_is_run_again(
    fake: FakeBigQuery, bucket: str
) -> None:
    fake.faults.jobs = [None, ("jobBackendError", "Retry the job.")]
    assert len(rows(exporting(fake, bucket), ALL)) == ROWS
    assert len(fake.exports) == 2 and len(fake.billed) == 1


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            ("accessDenied", "Access Denied: Bucket: no storage.objects.create"),
            r"no storage.objects.create.*Storage Object",
        ),
        (("invalid", "Cannot read and write in different locations"), r"in the location of the tables"),
        (
            ("quotaExceeded", "Your project exceeded quota for extract bytes"),
            r"a quota of the project tests is used up",
        ),
    ],
)
def test_what_stands_in_the_way_of_an_export_is_said(
    fake: FakeBigQuery, bucket: str, failure: tuple[str, str], message: str
) -> None:
    fake.faults.jobs = [None, failure]
    with pytest.raises(WarehouseError, match=f"(?s){message}"):
        rows(exporting(fake, bucket), ALL)
    assert len(rows(exporting(fake, bucket), ALL)) == ROWS
    assert len(fake.billed) == 1, "the query's job is found"


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said(fake: FakeBigQuery) -> None:
    with pytest.raises(
        WarehouseError, match=r"Not found: Bucket no-such.*leave STILLHOUSE_BIGQUERY_EXPORT out"
    ):
        rows(exporting(fake, "gs://no-such/prefix"), ALL)


def test_shards_that_may_not_be_read_are_said(fake: FakeBigQuery, bucket: str, gcs_proxy: Proxy) -> None:
    gcs_proxy.arm(Fault(at=0, kind="status", status=403, onward=True))
    with pytest.raises(StoreError, match="list, read, write and delete objects there"):
        rows(exporting(fake, bucket), ALL)


def test_the_setting_is_read(fake: FakeBigQuery, bucket: str) -> None:
    settings = Settings(
        warehouse="bigquery://tests/lake?location=EU",
        bigquery_endpoint=fake.endpoint,
        bigquery_storage_endpoint=fake.storage_endpoint,
        bigquery_export=bucket,
        bigquery_export_over_gb=0,
    )
    assert len(rows(open_warehouse(settings), ALL)) == ROWS
    assert len(fake.exports) == 1
    with pytest.raises(ValueError, match="bigquery_export"):
        Settings(bigquery_export="s3://bucket/prefix")
