"""A large result in constant memory, by both ways out. The server has a process of its own."""

import resource
from pathlib import Path

import pytest

from tests.benchmarks.warehouse import write_table
from tests.fakes.bigquery_process import bigquery_process, warehouse_of
from tests.infra.warehouse.queries import asked

pytestmark = pytest.mark.slow
ROWS = 200_000


@pytest.mark.parametrize("order", ["ORDER BY id", ""])
def test_200_000_rows_of_180_mb_stay_under_400_mb(tmp_path: Path, order: str) -> None:
    write_table(tmp_path / "big.parquet", ROWS)
    with bigquery_process({"big": tmp_path / "big.parquet"}) as clients:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read = size = 0
        for batch in warehouse_of(clients, "storage").stream(asked(f"SELECT id, text FROM big {order}")):
            read, size = read + batch.num_rows, size + batch.nbytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read == ROWS and size > 180_000_000
    assert peak / 1024 < 400 and (peak - before) / 1024 < 150, f"{before / 1024:.0f} -> {peak / 1024:.0f} MB"
