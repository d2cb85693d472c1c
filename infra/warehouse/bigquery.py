"""BigQuery behind the warehouse's protocol: asked for the price first, paid once a key, read as Arrow."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import pyarrow as pa
from google.api_core.exceptions import PermissionDenied
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from infra.errors import WarehouseError
from infra.warehouse.batches import even
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.dialect import check_parameters, is_ordered, parsed_select
from infra.warehouse.exports import ExportPlace, TableExport
from infra.warehouse.jobs import QueryJobs
from infra.warehouse.protocol import BATCH_ROWS, Execution, Query, QueryPlan, TableInfo, check_cap
from infra.warehouse.refusals import EXPLAINED, explain
from infra.warehouse.streams import Patience, ReadSession, read_pages

logger = logging.getLogger(__name__)
TIB = 2**40
GB = 10**9
STREAMS = 4
Answer = TypeVar("Answer")


class BigQueryWarehouse:
    """Warehouse over BigQuery. `usd_per_tib` is the price of what a query reads, `read` the way its rows come out, and
    `export` the way of those results that are larger than it says.

    Raises ConfigError for credentials that are missing or refused, CostCapError for a query above its cap, and
    WarehouseError for everything else that stands in a query's way: each with the remedy.
    """

    def __init__(
        self,
        clients: BigQueryClients,
        usd_per_tib: float,
        read: Literal["storage", "rest"] = "storage",
        patience: Patience | None = None,
        export: ExportPlace | None = None,
    ) -> None:
        self.place = clients.place
        self._clients, self._usd_per_tib, self._read = clients, usd_per_tib, read
        self._export, self._patience = export, patience or Patience()
        self._retry = self._patience.rest(DEFAULT_RETRY)
        self._jobs = QueryJobs(clients, self._retry)
        self._ran: dict[str, Execution] = {}

    def dry_run(self, query: Query) -> QueryPlan:
        """Bytes and price, from BigQuery itself: free. How many rows come out is not known."""
        size = int(self._within_cap(query).total_bytes_processed or 0)
        return QueryPlan(rows=None, bytes=size, usd=size / TIB * self._usd_per_tib)

    def stream(self, query: Query) -> Iterator[pa.RecordBatch]:
        """Run the query, or find the job that ran it, and give its rows. A bad query is refused at the call."""
        location, export = self._within_cap(query).location, self._exporting(query)
        job = self._explained(query, lambda: self._jobs.finished(query, location))
        if query.key is not None:
            place = f"{job.project}:{job.location}.{job.job_id}"
            self._ran[query.key] = Execution(query.sql, place, job.total_bytes_billed)
        return even(self._rows(query, job, export), BATCH_ROWS)

    def tables(self, query: Query) -> list[TableInfo]:
        """Each table that BigQuery says the query reads, by name."""
        read = self._planned(query).referenced_tables
        found = self._explained(query, lambda: [self._jobs.table(table) for table in read])
        return sorted(map(_described, found), key=lambda table: table.name)

    def execution(self, query: Query) -> Execution:
        """The query as it was asked, because BigQuery gets it unchanged; after `stream`, its job and what that billed."""
        return self._ran.get(query.key or "", Execution(query.sql))

    def _within_cap(self, query: Query) -> bigquery.QueryJob:
        planned = self._planned(query)
        check_cap(query, int(planned.total_bytes_processed or 0))
        return planned

    def _planned(self, query: Query) -> bigquery.QueryJob:
        """The dry run's answer. Raises WarehouseError for anything but one SELECT with a value for each parameter."""
        if (tree := parsed_select(query)) is not None:
            check_parameters(query, tree)
        planned = self._explained(query, lambda: self._jobs.planned(query))
        if planned.statement_type != "SELECT":
            raise WarehouseError(
                f"{query.name} holds {planned.statement_type}: expected one SELECT (WITH ... is fine). Leave only that."
            )
        return planned

    def _exporting(self, query: Query) -> TableExport | None:
        """The bucket, for a query whose result may go by way of it; looked for before anything is paid."""
        if self._export is None or is_ordered(query):
            return None
        return TableExport(self._clients, self._retry, self._export)

    def _rows(
        self, query: Query, job: bigquery.QueryJob, export: TableExport | None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the table that a job wrote, counted against what BigQuery says it has."""
        table = self._explained(query, lambda: self._jobs.table(job.destination))
        size = table.num_bytes or 0
        large = self._export is not None and size > self._export.over_bytes
        if large and export is None:
            logger.warning(
                "%s has an ORDER BY, which an export does not keep: its %.1f GB are read without the bucket",
                query.name,
                size / GB,
            )
        batches = export.batches(query, job, table) if large and export else self._opened(query, table)
        read = 0
        while (batch := self._explained(query, lambda: next(batches, None))) is not None:
            read += batch.num_rows
            yield batch
        if read != table.num_rows:
            raise WarehouseError(
                f"{query.name} gave {read:,} rows: expected {table.num_rows:,}, as BigQuery says of its result. Run "
                "again; if it stays so, set STILLHOUSE_BIGQUERY_READ=rest."
            )

    def _opened(self, query: Query, table: bigquery.Table) -> Iterator[pa.RecordBatch]:
        """Rows by the Storage Read API, or by REST where that is asked for or a session is not permitted."""
        if self._read == "storage":
            streams = 1 if is_ordered(query) else STREAMS
            session = self._explained(query, lambda: self._session(table, streams))
            if session is not None:
                return session.batches()
            logger.warning(
                "%s is read by REST, which is slower: the Storage Read API is not permitted in %s (role BigQuery Read "
                "Session User)",
                query.name,
                self.place.project,
            )
        return read_pages(self._clients.jobs, table, self._retry)

    def _session(self, table: bigquery.Table, streams: int) -> ReadSession | None:
        try:
            return ReadSession(self._clients.storage, self.place.project, table, streams, self._patience)
        except PermissionDenied:
            return None

    def _explained(self, query: Query, call: Callable[[], Answer]) -> Answer:
        """What `call` gives; an error of Google's is explained, and raised without the frames that hold connections."""
        try:
            return call()
        except EXPLAINED as error:
            explained = explain(error, query, self.place)
        raise explained


def _described(table: bigquery.Table) -> TableInfo:
    """A table as it is pinned: BigQuery has no digest of the content, but says when it last changed.

    Rows that are streamed in do not move that moment at once: what waits in the buffer counts too. A view changes with
    its query; the tables under it are listed beside it.
    """
    name = f"{table.project}.{table.dataset_id}.{table.table_id}"
    modified = table.modified.isoformat() if table.modified else None
    buffer = table.streaming_buffer
    waiting = None if buffer is None else [buffer.estimated_rows, str(buffer.oldest_entry_time)]
    state = [name, str(table.created), modified, table.num_rows, table.num_bytes, waiting, table.view_query]
    digest = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    return TableInfo(name, digest, table.num_bytes or 0, table.num_rows or 0, modified)
