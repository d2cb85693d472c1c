"""The fake BigQuery in a process of its own, where its memory and its work are not the client's."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bigquery_process(files: Mapping[str, Path]) -> Iterator[dict[str, str]]:
    """Settings (STILLHOUSE_*) of a server over these tables (name -> parquet file)."""
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
            yield settings_of(*server.stdout.readline().split())
        finally:
            server.stdin.close()


def settings_of(endpoint: str, storage_endpoint: str) -> dict[str, str]:
    """What leads to a server."""
    return {
        "STILLHOUSE_WAREHOUSE": "bigquery://tests/lake?location=EU",
        "STILLHOUSE_BIGQUERY_ENDPOINT": endpoint,
        "STILLHOUSE_BIGQUERY_STORAGE_ENDPOINT": storage_endpoint,
    }
