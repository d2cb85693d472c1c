"""Jobs of BigQuery: the dry run, and the one run that is paid for a key.

A job's id follows from the query's key. Who comes after a crash, or at the same time from another machine, finds that
job instead of paying for a second one.
"""

import hashlib
import json
import re
import uuid
from typing import cast

from google.api_core.exceptions import Conflict, NotFound
from google.api_core.retry import Retry
from google.cloud import bigquery
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from infra.warehouse.clients import BigQueryClients
from infra.warehouse.protocol import ParameterValue, Query
from infra.warehouse.refusals import is_transient_job

REQUEST_S = 60.0
JOB_RUNS = 3  # of a query whose job failed for no fault of its own
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
        again = Retrying(
            retry=retry_if_exception(is_transient_job),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            stop=stop_after_attempt(JOB_RUNS),
            reraise=True,
        )
        job: bigquery.QueryJob = again(self._first_with_rows, query, self.identity(query), location)
        return job

    def identity(self, query: Query) -> str:
        """What the ids of a query's jobs have in common: one for each key, a new one each time without a key."""
        if query.key is None:
            return uuid.uuid4().hex
        said = [query.key, self.place.uri, query.sql, sorted(query.parameters.items())]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:40]

    def table(self, reference: bigquery.TableReference) -> bigquery.Table:
        """What BigQuery knows of a table."""
        return self._clients.jobs.get_table(reference, retry=self._retry, timeout=REQUEST_S)

    def _first_with_rows(self, query: Query, identity: str, location: str | None) -> bigquery.QueryJob:
        """The first job of this identity that has rows to give: found, or run now.

        An id is used up by a job that failed, and by one whose rows are gone (BigQuery keeps them for a day).
        """
        attempt = 0
        while True:
            job, found = self._begun(query, f"stillhouse-{identity}-{attempt}", location)
            if found and job.state == "DONE" and not self._has_rows(job):
                attempt += 1
                continue
            job.result(retry=self._retry, job_retry=None)
            return job

    def _begun(self, query: Query, job_id: str, location: str | None) -> tuple[bigquery.QueryJob, bool]:
        """The job of this id, and whether it was there before: from a run that died, or one under way elsewhere."""
        try:
            job = self._clients.jobs.query(
                query.sql,
                self._config(query),
                job_id=job_id,
                location=location,
                retry=self._retry,
                job_retry=None,
                timeout=REQUEST_S,
            )
            return job, False
        except Conflict:
            there = self._clients.jobs.get_job(
                job_id, location=location, retry=self._retry, timeout=REQUEST_S
            )
            return cast(bigquery.QueryJob, there), True

    def _has_rows(self, job: bigquery.QueryJob) -> bool:
        """Whether a job that is done has something to give."""
        if job.error_result is not None:
            return False
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
