"""An extraction in a process of its own: what it wrote, how long it took, and its memory alone.

    python -m tests.infra.warehouse.extract_process 'SELECT ...' --spill FOLDER --output FOLDER

The warehouse is that of the settings (STILLHOUSE_*). With `--output` the rows go the stage's whole way into parquet;
without, they are only taken.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

import infra.warehouse.bigquery  # noqa: F401  # What the settings lead to is imported before the clock runs.
from infra.settings import get_settings
from infra.warehouse.connect import open_warehouse
from infra.warehouse.protocol import Query
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.extraction import QueryResult, extract_query
from tasks.data.extraction.query import AskedQuery
from tasks.formats.extraction import Provenance

ROOT = Path(__file__).parents[3]
STATUS = Path("/proc/self/status")
LABELS = {"flow": "tests"}


@dataclass(frozen=True)
class Extracted:
    """Seconds of the clock and of this process's CPU, of reading alone; memory in MB, before (all imports done) and at its
    peak."""

    rows: int
    bytes: int
    digest: str
    seconds: float
    cpu_seconds: float
    before_mb: float
    peak_mb: float


def extract(sql: str, spill: Path, output: Path | None) -> Extracted:
    """Run the query and take its rows."""
    warehouse, query = open_warehouse(get_settings(), spill=spill), Query(sql, 10**12, key="k", labels=LABELS)
    before = _memory("VmRSS")
    batches = warehouse.stream(query)  # planned, and its job found: what follows is reading
    started, worked = time.perf_counter(), sum(os.times()[:2])
    if output is None:
        rows = size = 0
        for batch in batches:
            rows, size = rows + batch.num_rows, size + batch.nbytes
    else:
        rows = write(query, batches, output)
        size = sum(path.stat().st_size for path in output.iterdir())
    seconds, cpu = time.perf_counter() - started, sum(os.times()[:2]) - worked
    digest = "" if output is None else digest_of(output)
    return Extracted(rows, size, digest, seconds, cpu, before, _memory("VmHWM"))


def write(query: Query, batches: Iterator[pa.RecordBatch], output: Path) -> int:
    """Rows as the stage writes them, and how many."""
    output.mkdir(parents=True, exist_ok=True)
    provenance = Provenance(sql_executed=query.sql, bytes=0, sources=(), notes=())
    result = QueryResult(batches, None, (), provenance)
    return int(extract_query(ExtractConfig(), AskedQuery(query.name, query.sql, {}), result, output)["rows"])


def digest_of(output: Path) -> str:
    """Digest of the rows that were written, file by file."""
    digest = hashlib.sha256()
    for path in sorted(output.glob("rows-*.parquet")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def started(
    sql: str, settings: Mapping[str, str], spill: Path, output: Path | None = None
) -> subprocess.Popen[str]:
    """The same in another process."""
    command = [sys.executable, "-m", "tests.infra.warehouse.extract_process", sql, "--spill", str(spill)]
    if output is not None:
        command += ["--output", str(output)]
    environment = {**os.environ, **settings}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> Extracted:
    """What it came to."""
    said, _ = process.communicate()
    assert process.returncode == 0, "the extraction failed: see what it wrote"
    return Extracted(**json.loads(said.splitlines()[-1]))


def _memory(name: str) -> float:
    """A figure of this process alone: `ru_maxrss` begins with the peak of the process that started it."""
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sql")
    parser.add_argument("--spill", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    print(json.dumps(asdict(extract(asked.sql, asked.spill, asked.output))))
