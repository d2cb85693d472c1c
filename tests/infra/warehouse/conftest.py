"""Two warehouses over the same tables: the embedded one, and BigQuery's real clients against a server on this machine."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.warehouse.bigquery import BigQueryWarehouse
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.place import BigQueryPlace
from infra.warehouse.protocol import Warehouse
from infra.warehouse.streams import Patience
from tests.fakes.bigquery import FakeBigQuery, bigquery_server

PLACE = BigQueryPlace("tests", "lake", "EU")
Opened = Callable[[Mapping[str, Path]], Warehouse]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    queries = {
        "id": [1, 2, 3, 4],
        "text": ["freeze my card", "book a flight", "what's up", 'l\'été "quoted"'],
        "intent": ["freeze", "flight", "oos", None],
    }
    domains = {"intent": ["freeze", "flight"], "domain": ["bank", "travel"]}
    made = {name: tmp_path / f"{name}.parquet" for name in ("queries", "domains")}
    pq.write_table(pa.table(queries), made["queries"])
    pq.write_table(pa.table(domains), made["domains"])
    return made


@pytest.fixture
def fake(files: dict[str, Path]) -> Iterator[FakeBigQuery]:
    with bigquery_server(files) as server:
        yield server


def connected(fake: FakeBigQuery, read: str = "storage", patience_s: float = 120.0) -> BigQueryWarehouse:
    """The real clients, at the fake's addresses."""
    clients = BigQueryClients(PLACE, fake.endpoint, fake.storage_endpoint)
    return BigQueryWarehouse(clients, 6.25, read, Patience(patience_s))  # type: ignore[arg-type]


@pytest.fixture(params=["duckdb", "bigquery", "bigquery by REST"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Opens a warehouse of each kind over files."""
    with ExitStack() as servers:

        def open_one(files: Mapping[str, Path]) -> Warehouse:
            if request.param == "duckdb":
                return DuckDBWarehouse(files)
            server = servers.enter_context(bigquery_server(dict(files)))
            return connected(server, "rest" if "REST" in request.param else "storage")

        yield open_one


@pytest.fixture
def warehouse(opened: Opened, files: dict[str, Path]) -> Warehouse:
    return opened(files)
