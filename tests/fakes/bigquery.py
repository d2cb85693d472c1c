"""A server that speaks BigQuery's REST, over DuckDB by the project's own translation of the dialect.

It knows `POST jobs` (queries, dry runs, extract jobs, ids that are taken), `GET jobs/{id}`, `GET queries/{id}`, `GET
tables/{t}` and `GET tables/{t}/data`. The Storage Read API beside it is `bigquery_storage.py`; `python -m
tests.fakes.bigquery name=file.parquet ...` serves both for another process.

It leaves out: load and copy jobs, `POST queries` (the project runs a query as a job), waiting (a job has ended
when it is made), the 10 MB that a query is billed at least, views, and names in several data sets: a table is found by
its last name. A literal such as 1.0 is FLOAT64 as in BigQuery; NUMERIC is not known.
"""

import gzip
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from infra.errors import WarehouseError
from infra.machine.processes import LOOPBACK
from infra.warehouse.protocol import Query
from tests.fakes.bigquery_extract import write_shards
from tests.fakes.bigquery_faults import Faults
from tests.fakes.bigquery_tables import Refused, ResultTable, Tables
from tests.fakes.serving import serving

JSON = dict[str, object]
DATASET = "lake"  # where every table lies
PROJECT = "tests"


@dataclass
class FakeBigQuery:
    """What is served, and what was asked. `billed` has the id of every job that was run; `faults` says what goes wrong."""

    tables: Tables
    faults: Faults = field(default_factory=Faults)
    endpoint: str = ""
    storage_endpoint: str = ""
    jobs: dict[str, JSON] = field(default_factory=dict)
    billed: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    storage: str | None = None  # address of the Cloud Storage that extract jobs write to
    exports: list[str] = field(default_factory=list)  # ids of extract jobs
    minimum_billed: int = 0
    keep: bool = False  # pages are made once, so that who reads again measures the client
    pages: dict[str, bytes] = field(default_factory=dict)
    token: str | None = None  # expected in every request, where given

    def insert(self, body: JSON) -> JSON:
        """`POST jobs`: run a query, or only say what it would read, or export a table. Raises Refused."""
        configuration, reference = _dict(body["configuration"]), _dict(body["jobReference"])
        if not configuration.get("dryRun") and str(reference["jobId"]) in self.jobs:
            raise Refused(409, "duplicate", f"Already Exists: Job {PROJECT}:EU.{reference['jobId']}")
        if "extract" in configuration:
            return self._extract(str(reference["jobId"]), configuration)
        query = _query(_dict(configuration["query"]))
        plan = self.tables.plan(query)
        statistics: JSON = {
            "creationTime": "0",
            "startTime": "0",
            "endTime": "0",
            "totalBytesProcessed": str(plan.bytes),
            "query": {
                "statementType": plan.statement,
                "totalBytesProcessed": str(plan.bytes),
                "totalBytesBilled": "0" if configuration.get("dryRun") else str(plan.bytes),
                "referencedTables": [_reference(name) for name in plan.tables],
            },
        }
        job: JSON = {
            "kind": "bigquery#job",
            "jobReference": {"projectId": PROJECT, "location": "EU", **reference},
            "configuration": configuration,
            "statistics": statistics,
            "status": {"state": "DONE"},
        }
        if configuration.get("dryRun"):
            job["jobReference"] = {"projectId": PROJECT, "location": "EU"}
            return job
        self._run(str(reference["jobId"]), job, query, max(plan.bytes, self.minimum_billed))
        return job

    def _extract(self, job_id: str, configuration: JSON) -> JSON:
        asked, statistics = (
            _dict(configuration["extract"]),
            {"creationTime": "0", "startTime": "0", "endTime": "0"},
        )
        (uri,) = _list(asked["destinationUris"])
        table = self.tables.find(str(_dict(asked["sourceTable"])["tableId"]))
        job: JSON = {
            "kind": "bigquery#job",
            "jobReference": {"projectId": PROJECT, "location": "EU", "jobId": job_id},
            "configuration": {**configuration, "jobType": "EXTRACT"},
            "statistics": statistics,
            "status": {"state": "DONE"},
        }
        self.jobs[job_id] = job
        self.exports.append(job_id)
        try:
            if (failure := self.faults.job()) is not None:
                raise Refused(0, *failure)
            count = write_shards(table, str(uri), str(asked["compression"]), self.storage)
            job["statistics"] = {**statistics, "extract": {"destinationUriFileCounts": [str(count)]}}
        except Refused as refused:
            job["status"] = _failed(refused.reason, refused.message)
        return job

    def _run(self, job_id: str, job: JSON, query: Query, size: int) -> None:
        asked = _dict(_dict(job["configuration"])["query"])
        self.jobs[job_id] = job
        failure = self.faults.job()
        if int(str(asked["maximumBytesBilled"])) < size:
            failure = (
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {asked['maximumBytesBilled']}. {size} or higher required.",
            )
        else:
            self.billed.append(job_id)
        if failure is None:
            try:
                asked["destinationTable"] = _reference(self.tables.run(query))
                return
            except WarehouseError as error:
                failure = ("invalidQuery", str(error).split(": ", 1)[-1])
        job["status"] = _failed(*failure)

    def job(self, job_id: str) -> JSON:
        """`GET jobs/{id}`."""
        if job_id not in self.jobs:
            raise Refused(404, "notFound", f"Not found: Job {PROJECT}:EU.{job_id}")
        return self.jobs[job_id]

    def results(self, job_id: str, most: int | None) -> JSON:
        """`GET queries/{id}`: without `rows` when none are asked for, which the client takes for 'not fetched yet'."""
        job = self.job(job_id)
        table = self._table(_dict(job["configuration"]))
        answer: JSON = {
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "schema": table.schema,
            "totalRows": str(table.rows),
        }
        return answer if most == 0 else {**answer, **table.page(0, most)}

    def _table(self, configuration: JSON) -> ResultTable:
        destination = _dict(_dict(configuration["query"])["destinationTable"])
        return self.tables.find(str(destination["tableId"]))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: FakeBigQuery

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *args: object) -> None:
        """Quiet: the tests look at `requests`."""

    def _answer(self, body: JSON) -> None:
        fake, url = self.server_state, urlsplit(self.path)
        fake.requests.append(f"{self.command} {url.path}")
        kind = fake.faults.request(f"{self.command} {url.path}")
        try:
            if fake.token is not None and self.headers.get("Authorization") != f"Bearer {fake.token}":
                raise Refused(401, "authError", "Request had invalid authentication credentials")
            if kind is not None and kind.refusal is not None:
                raise kind.refusal
            options = {name: values[-1] for name, values in parse_qs(url.query).items()}
            made = fake.pages.get(self.path)
            if made is None:
                parts = unquote(url.path).split("/projects/", 1)[1].split("/")[1:]
                made = self._encoded(_route(fake, parts, options, body))
                if fake.keep and parts[-1] == "data":
                    fake.pages[self.path] = made
            self._send(200, made, cut=kind is not None and kind.cut)
        except Refused as refused:
            self._send(refused.status, self._encoded(refused.body()))

    def _encoded(self, content: JSON) -> bytes:
        """JSON, compressed for who takes it so, as Google does."""
        encoded = json.dumps(content).encode()
        return gzip.compress(encoded, compresslevel=1) if self._gzip else encoded

    @property
    def _gzip(self) -> bool:
        return "gzip" in self.headers.get("Accept-Encoding", "")

    def _send(self, status: int, encoded: bytes, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        if self._gzip:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        part = encoded[: len(encoded) // 2] if cut else encoded
        self.server_state.faults.count(len(part))
        self.wfile.write(part)
        if cut:
            self.close_connection = True


def _route(fake: FakeBigQuery, parts: list[str], options: dict[str, str], body: JSON) -> JSON:
    most = int(options["maxResults"]) if "maxResults" in options else None
    match parts:
        case ["jobs"]:
            return fake.insert(body)
        case ["jobs", job_id]:
            return fake.job(job_id)
        case ["queries", job_id]:
            return fake.results(job_id, most)
        case ["datasets", _, "tables", name]:
            return {"tableReference": _reference(name), **fake.tables.find(name).described()}
        case ["datasets", _, "tables", name, "data"]:
            start = int(options.get("pageToken") or options.get("startIndex") or 0)
            return fake.tables.find(name).page(start, most)
    raise Refused(404, "notFound", f"Not found: {'/'.join(parts)}")


def _query(asked: JSON) -> Query:
    parameters = {}
    for parameter in asked.get("queryParameters", []):  # type: ignore[attr-defined]
        kind, value = parameter["parameterType"]["type"], parameter["parameterValue"]
        parameters[parameter["name"]] = {
            "STRING": lambda value=value: value["value"],
            "INT64": lambda value=value: int(value["value"]),
            "FLOAT64": lambda value=value: float(value["value"]),
            "BOOL": lambda value=value: str(value["value"]).lower() == "true",
            "ARRAY": lambda value=value: tuple(item["value"] for item in value.get("arrayValues", [])),
        }[kind]()
    return Query(str(asked["query"]), 10**18, parameters, "query")


def _reference(name: str) -> JSON:
    return {"projectId": PROJECT, "datasetId": DATASET, "tableId": name}


def _failed(reason: str, message: str) -> JSON:
    wrong = {"reason": reason, "message": message, "location": "query"}
    return {"state": "DONE", "errorResult": wrong, "errors": [wrong]}


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _dict(value: object) -> JSON:
    assert isinstance(value, dict)
    return value


@contextmanager
def bigquery_server(files: dict[str, Path], keep: bool = False) -> Iterator[FakeBigQuery]:
    """Serve tables (name -> parquet file) on free ports of the loopback, REST and Storage Read.

    With `keep`, what is made for one reader is kept for the next.
    """
    from tests.fakes.bigquery_storage import storage_server

    with tempfile.TemporaryDirectory(prefix="bigquery-") as folder:
        fake = FakeBigQuery(Tables(files, Path(folder)), keep=keep)
        handler = type("Handler", (_Handler,), {"server_state": fake})
        server = ThreadingHTTPServer((LOOPBACK, 0), handler)
        server.daemon_threads = True
        with (
            serving(server) as fake.endpoint,
            storage_server(fake.tables, fake.faults, keep) as fake.storage_endpoint,
        ):
            yield fake


if __name__ == "__main__":
    with bigquery_server(
        {name: Path(path) for name, path in (word.split("=", 1) for word in sys.argv[1:])}, keep=True
    ) as served:
        served.storage = os.environ.get("STORAGE_EMULATOR_HOST")
        print(served.endpoint, served.storage_endpoint, flush=True)
        sys.stdin.read()  # Until who started it closes the pipe.
