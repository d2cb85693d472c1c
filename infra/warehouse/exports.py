"""A large result by way of a bucket: BigQuery writes it there as many files at once, and they are fetched side by side.

    <STILLHOUSE_BIGQUERY_EXPORT>/<id of the extract job>/000000000000.parquet, ...

An export keeps no order. The job's id follows from that of the query's job, so who comes after a crash finds it finished,
and fetches what is missing. When all rows have been taken, the files are deleted, there and here.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.retry import Retry
from google.cloud import bigquery

from infra.errors import StoreError, WarehouseError
from infra.files import disk_errors
from infra.store.shared.bucket import in_parallel
from infra.store.shared.download import download
from infra.store.shared.opening import open_objects
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.jobs import REQUEST_S, QueryJobs
from infra.warehouse.protocol import BATCH_ROWS, Query
from infra.warehouse.refusals import EXPLAINED, explain_export

if TYPE_CHECKING:
    from infra.store.shared.gcs import GcsObjects

logger = logging.getLogger(__name__)
PART_BYTES = 8 << 20  # of a shard, fetched at once by each of a few threads
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class ExportPlace:
    """Where results of more than `over_bytes` are exported to (`url`: gs://bucket/prefix) and fetched into.

    `spill` outlives a kill, so that what was fetched is not fetched again; None: a temporary folder.
    """

    url: str
    over_bytes: float
    spill: Path | None = None


@dataclass(frozen=True)
class _Shard:
    name: str
    size: int
    crc32c: str


class TableExport:
    """Results exported to a bucket. Raises StoreError for an address that cannot be used, before anything is paid."""

    def __init__(self, clients: BigQueryClients, retry: Retry, place: ExportPlace) -> None:
        self._clients, self._retry, self._place = clients, retry, place
        self._objects = cast("GcsObjects", open_objects(place.url, PART_BYTES, REQUEST_S))

    def batches(
        self, query: Query, job: bigquery.QueryJob, table: bigquery.Table
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the table that `job` wrote, in the order of the shards' names.

        Raises WarehouseError for an export that is refused, or damaged also when it is fetched again.
        """
        extract = self._exported(query, job)
        shards, schema = self._shards(extract), self._schema(table)
        with self._folder(extract) as folder:
            for path in in_parallel(lambda shard: self._fetched(extract, shard, folder), shards):
                with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
                    for batch in file.iter_batches(BATCH_ROWS):
                        yield _typed(query, batch, schema)
            shutil.rmtree(folder)
        self._delete(extract, shards)

    def _exported(self, query: Query, job: bigquery.QueryJob) -> bigquery.ExtractJob:
        uri = f"{self._place.url.rstrip('/')}/{{job}}/*.parquet"
        try:
            return QueryJobs(self._clients, self._retry).exported(job, uri, self._is_whole)
        except EXPLAINED as error:
            explained = explain_export(error, query, self._clients.place, self._place.url)
        raise explained

    def _is_whole(self, extract: bigquery.ExtractJob) -> bool:
        written: list[int] = extract.destination_uri_file_counts or []
        return len(self._shards(extract)) == sum(written)

    def _shards(self, extract: bigquery.ExtractJob) -> list[_Shard]:
        found = self._objects.listed(extract.job_id)
        return [_Shard(name, int(info["size"]), info["crc32c"]) for name, info in sorted(found.items())]

    def _schema(self, table: bigquery.Table) -> pa.Schema:
        """The table's types: parquet has no word for some of BigQuery's."""
        rows = self._clients.jobs.list_rows(table, max_results=0, retry=self._retry, timeout=REQUEST_S)
        return rows.to_arrow(create_bqstorage_client=False).schema

    def _fetched(self, extract: bigquery.ExtractJob, shard: _Shard, folder: Path) -> Path:
        """A shard on this disk. It has its name once it is whole."""
        from infra.store.shared.gcs import crc32c

        path, partial = folder / shard.name, folder / f"{shard.name}.partial"
        if path.is_file():
            return path
        name = f"{extract.job_id}/{shard.name}"
        with disk_errors(folder):
            whole = download(
                self._objects,
                name,
                partial,
                shard.size,
                PART_BYTES,
                lambda file: crc32c(file) == shard.crc32c,
                at_once=1,  # Several shards are under way already.
            )
            if not whole:
                raise WarehouseError(
                    f"{self._place.url}/{name} was fetched twice and is not what Cloud Storage says it is: expected "
                    f"{shard.size:,} bytes with the CRC32C {shard.crc32c}. Run again; if another run of the same key has "
                    "deleted it meanwhile, it is exported again. If it stays so, look at the network and the disk."
                )
            partial.rename(path)
        return path

    @contextmanager
    def _folder(self, extract: bigquery.ExtractJob) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="export-", ignore_cleanup_errors=True) as temporary:
            folder = (self._place.spill or Path(temporary)) / "export" / str(extract.job_id)
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def _delete(self, extract: bigquery.ExtractJob, shards: list[_Shard]) -> None:
        try:
            list(in_parallel(self._objects.delete, [f"{extract.job_id}/{shard.name}" for shard in shards]))
        except StoreError as error:
            logger.warning("the export in %s/%s stays there: %s", self._place.url, extract.job_id, error)


def _typed(query: Query, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        return batch.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        what = str(error).split("\n")[0]
    raise WarehouseError(
        f"the export of {query.name} has other types than its result ({what}): expected columns that parquet can hold. "
        "Cast them to STRING in the query, or leave STILLHOUSE_BIGQUERY_EXPORT out."
    )
