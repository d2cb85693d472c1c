"""How fast BigQuery's rows come out: the Storage Read API beside REST, by the real clients.

python -m tests.benchmarks.warehouse                            200,000 rows (180 MB), five times each, by turns
python -m tests.benchmarks.warehouse --rows 20000 --repeat 3

The server is the tests' own, in a process of its own on this machine, so the figure is what the two protocols and their
clients cost: JSON cells against Arrow. A network only adds to both.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infra.warehouse.protocol import Query
from tests.fakes.bigquery_process import bigquery_process, warehouse_of

WAYS = ("storage", "rest")
TEXT = 900  # characters a row
EACH = 10_000


def write_table(path: Path, rows: int) -> None:
    """A table of `rows` rows of 0.9 KB, each text another."""
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, EACH):
            ids = range(start, min(start + EACH, rows))
            texts = [f"{i * 7919 % 1_000_003:0{TEXT}}" for i in ids]
            writer.write_table(pa.table({"id": ids, "text": texts}, schema))


def measure(rows: int, repeat: int) -> dict[str, float]:
    """Median rows a second of each way; the ways take turns, so that a busy minute falls on both."""
    query = Query("SELECT id, text FROM big ORDER BY id", 10**12, key="benchmark")
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="warehouse-benchmark-") as folder:
        write_table(Path(folder) / "big.parquet", rows)
        with bigquery_process({"big": Path(folder) / "big.parquet"}) as clients:
            warehouses = {way: warehouse_of(clients, way) for way in WAYS}
            sum(
                batch.num_rows for batch in warehouses["storage"].stream(query)
            )  # The job has run; what follows reads.
            for _ in range(repeat):
                for way, warehouse in warehouses.items():
                    batches, started = warehouse.stream(query), time.perf_counter()
                    assert sum(batch.num_rows for batch in batches) == rows
                    seconds[way].append(time.perf_counter() - started)
    return {way: rows / statistics.median(taken) for way, taken in seconds.items()}


def main() -> None:
    """Measure and print one line a way, and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    found = measure(asked.rows, asked.repeat)
    for way, speed in found.items():
        print(f"{way:<8} {speed:12,.0f} rows/s")
    print(f"the Storage Read API is {found['storage'] / found['rest']:.1f} times as fast")


if __name__ == "__main__":
    main()
