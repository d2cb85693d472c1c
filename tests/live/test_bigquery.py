"""The real BigQuery: run with STILLHOUSE_LIVE_BIGQUERY=bigquery://PROJECT and application default credentials.

One query over a public table of 10 MB, capped at 20: a hundredth of a cent, or nothing within the free tier.
"""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from infra.settings import Settings
from infra.warehouse.connect import open_warehouse
from infra.warehouse.protocol import Query

ADDRESS = os.environ.get("STILLHOUSE_LIVE_BIGQUERY")
CAP = 20_000_000  # bytes; BigQuery bills at least 10 MB a table
SQL = """
    SELECT word, SUM(word_count) AS n, FARM_FINGERPRINT(word) AS fingerprint
    FROM `bigquery-public-data.samples.shakespeare`
    WHERE word IN UNNEST(@words) GROUP BY word ORDER BY word
"""

pytestmark = pytest.mark.skipif(
    ADDRESS is None, reason="STILLHOUSE_LIVE_BIGQUERY is not set: bigquery://PROJECT"
)


@pytest.mark.parametrize("read", ["storage", "rest"])
def test_a_public_table_is_read_once_paid(read: str, tmp_path: Path) -> None:
    settings = Settings(warehouse=ADDRESS or "", bigquery_read=read)  # type: ignore[arg-type]
    warehouse = open_warehouse(settings, spill=tmp_path)
    query = Query(SQL, CAP, {"words": ("king", "queen")}, "live.sql", uuid4().hex, {"flow": "tests"})
    plan = warehouse.dry_run(query)
    assert 0 < plan.bytes < CAP and plan.usd is not None and plan.usd < 0.001
    (table,) = warehouse.tables(query)
    assert table.name == "bigquery-public-data.samples.shakespeare" and table.rows == 164_656
    rows = [row for batch in warehouse.stream(query) for row in batch.to_pylist()]
    assert [row["word"] for row in rows] == ["king", "queen"] and all(row["n"] > 100 for row in rows)
    first = warehouse.execution(query)
    assert first.job is not None and (first.bytes_billed or 0) <= CAP
    again = open_warehouse(settings)
    assert [row for batch in again.stream(query) for row in batch.to_pylist()] == rows
    assert again.execution(query).job == first.job, "the finished job was found"
