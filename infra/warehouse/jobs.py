"""Jobs of BigQuery: the dry run, and the one run that is paid for a key.

A job's id follows from the query's key. Who comes after a crash, or at the same time from another machine, finds that
job instead of paying for a second one.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, TypeVar, cast

from google.api_core.exceptions import Conflict, NotFound
from google.api_core.retry import Retry
from google.cloud import bigquery
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.warehouse.clients import BigQueryClients
from infra.warehouse.protocol import ParameterValue, Query
from infra.warehouse.refusals import is_transient_job

REQUEST_S = 60.0
JOB_RUNS = 3  # of what failed for no fault of its own
Job = TypeVar("Job", bigquery.QueryJob, bigquery.ExtractJob)
_TYPES: dict[type, str] = {str: "STRING", bool: "BOOL", int: "INT64", float: "FLOAT64"}


class QueryJobs:
    """Jobs of one place. Raises Google's own errors."""

    def __init__(self, clients: BigQueryClients, retry: Retry) -> None:
        self.place = clients.place
        self._clients, self._retry = clients, retry

    def planned(self, query: Query) -> bigquery.QueryJob:
        """What BigQuery says of a query without running it: bytes, tables, kind of statement. Free."""
        config = self._config(query)
        config.dry_run = True
        config.use_query_cache = False
        return self._clients.jobs.query(
            query.sql, config, retry=self._retry, job_retry=None, timeout=REQUEST_S
        )

    def finished(self, query: Query, location: str | None) -> bigquery.QueryJob:
        """The job that has the query's rows. One that failed for no fault of the query's is run again.

        `location` is where the dry run says the tables are: an id alone does not find a job.
        """
        begin = partial(self._clients.jobs.query, query.sql, self._config(query), job_retry=None)
        return self._first(f"stillhouse-{self.identity(query)}", begin, self._has_rows, location)

    def exported(
        self, job: bigquery.QueryJob, uri: str, whole: Callable[[bigquery.ExtractJob], bool]
    ) -> bigquery.ExtractJob:
        """The job that has written a query's rows to a bucket as parquet: found where it is still `whole`, or run now.

        `uri` is the address of the files with `{job}` for the id of that job.
        """
        config = bigquery.ExtractJobConfig(
            destination_format=bigquery.DestinationFormat.PARQUET,
            compression=bigquery.Compression.ZSTD,
            labels=dict(job.labels),
        )

        def begin(job_id: str, **call: Any) -> bigquery.ExtractJob:
            address = uri.format(job=job_id)
            return self._clients.jobs.extract_table(
                job.destination, address, job_id, job_config=config, **call
            )

        return self._first(f"{job.job_id}-export", begin, whole, job.location)

    def identity(self, query: Query) -> str:
        """What the ids of a query's jobs have in common: one for each key, a new one each time without a key."""
        if query.key is None:
            return uuid.uuid4().hex
        said = [query.key, self.place.uri, query.sql, sorted(query.parameters.items())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:40]

    def table(self, reference: bigquery.TableReference) -> bigquery.Table:
        """What BigQuery knows of a table."""
        return self._clients.jobs.get_table(reference, retry=self._retry, timeout=REQUEST_S)

    def _first(
        self, stem: str, begin: Callable[..., Job], usable: Callable[[Job], bool], location: str | None
    ) -> Job:
        """The first finished job of these ids whose result is there. One that failed for no fault of its own is run again.

        An id is used up by a job that failed, and by one whose result is gone (BigQuery keeps rows for a day).
        """
        call: dict[str, Any] = {"location": location, "retry": self._retry, "timeout": REQUEST_S}

        @retry(
            retry=retry_if_exception(is_transient_job),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            stop=stop_after_attempt(JOB_RUNS),
            reraise=True,
        )
        def first() -> Job:
            ids = (f"{stem}-{attempt}" for attempt in count())
            while True:
                job_id = next(ids)
                try:
                    job = begin(job_id=job_id, **call)
                except Conflict:  # It is there: from a run that died, or one under way elsewhere.
                    job = cast(Job, self._clients.jobs.get_job(job_id, **call))
                    if job.state == "DONE" and (job.error_result is not None or not usable(job)):
                        continue
                job.result(retry=self._retry)
                return job

        return first()

    def _has_rows(self, job: bigquery.QueryJob) -> bool:
        """Whether what a job wrote is still there."""
        try:
            self.table(job.destination)
        except NotFound:
            return False
        return True

    def _config(self, query: Query) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in query.parameters.items()],
            maximum_bytes_billed=query.max_bytes,
            labels={_label(name): _label(value) for name, value in query.labels.items()},
            use_legacy_sql=False,
        )
        if self.place.dataset is not None:
            config.default_dataset = bigquery.DatasetReference(self.place.project, self.place.dataset)
        return config


def _parameter(
    name: str, value: ParameterValue
) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    if isinstance(value, tuple):
        return bigquery.ArrayQueryParameter(name, "STRING", list(value))
    return bigquery.ScalarQueryParameter(name, _TYPES[type(value)], value)


def _label(text: str) -> str:
    """Text as a label may be: lower case, digits, `_` and `-`, at most 63 of them."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:63]
