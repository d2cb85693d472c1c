"""The fake BigQuery in a process of its own, where its memory and its work are not the client's."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.warehouse.bigquery import BigQueryWarehouse
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.place import BigQueryPlace


@contextmanager
def bigquery_process(files: Mapping[str, Path]) -> Iterator[BigQueryClients]:
    """Clients of a server over these tables (name -> parquet file)."""
    command = [
        sys.executable,
        "-m",
        "tests.fakes.bigquery",
        *(f"{name}={path}" for name, path in files.items()),
    ]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            endpoint, storage_endpoint = server.stdout.readline().split()
            yield BigQueryClients(BigQueryPlace("tests", "lake", "EU"), endpoint, storage_endpoint)
        finally:
            server.stdin.close()


def warehouse_of(clients: BigQueryClients, read: str) -> BigQueryWarehouse:
    """A warehouse that reads rows by `storage` or by `rest`."""
    return BigQueryWarehouse(clients, 6.25, read)  # type: ignore[arg-type]
