"""Extract jobs of the fake BigQuery: a table as shards of parquet in a Cloud Storage.

As BigQuery's, the shards are numbered with twelve digits, and their rows are not in the table's order. It leaves out other
formats, and shards that BigQuery cuts at 1 GB are cut at SHARD_ROWS.
"""

import io

import httpx
import pyarrow.parquet as pq

from tests.fakes.bigquery_tables import Refused, ResultTable

SHARD_ROWS = 3_001  # no divisor of anything


def write_shards(table: ResultTable, uri: str, compression: str, storage: str | None) -> int:
    """Write them to `uri` (with one *) of the Cloud Storage at `storage`, and say how many. Raises Refused."""
    bucket, _, pattern = uri.removeprefix("gs://").partition("/")
    starts = list(range(0, max(table.rows, 1), SHARD_ROWS))
    for number, start in enumerate(reversed(starts)):
        sink = io.BytesIO()
        pq.write_table(table.data.slice(start, SHARD_ROWS), sink, compression=compression.lower())
        answer = httpx.post(
            f"{storage}/upload/storage/v1/b/{bucket}/o",
            params={"uploadType": "media", "name": pattern.replace("*", f"{number:012d}")},
            content=sink.getvalue(),
            trust_env=False,
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Refused(404, "notFound", f"Not found: Bucket {bucket}")
        answer.raise_for_status()
    return len(starts)
