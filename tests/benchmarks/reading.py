"""Reading a large data set from the Hub: memory-mapped and streamed, with less memory than it has bytes.

    python -m tests.benchmarks.reading             400,000 rows (400 MB), five rounds, into docs/READING.md
    python -m tests.benchmarks.reading --quick     4,000 rows, one round, to see that it works; the page is printed

The rows are synthetic and seeded. They are pushed to the tests' own Hub, which is a process of its own on this machine, and
read by `datasets` as anybody would.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cpuinfo
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr
from tqdm import tqdm

from infra.hub.connect import open_hub
from infra.hub.protocol import Revision
from infra.settings import Settings
from tests.benchmarks.reading_page import WAYS, Reading, Setup, Way, page
from tests.fakes.hub_process import hub_process

PAGE = Path(__file__).parents[2] / "docs" / "READING.md"
ROOT = Path(__file__).parents[2]
ROWS, QUICK_ROWS = 400_000, 4_000
ROUNDS, QUICK_ROUNDS = 5, 1
WORDS, ROW_WORDS = 20_000, 140  # words to choose from, and of a row: 1 KB of text
SHARDS = 8
LIMIT_MIB = 256
TOKEN = "hf_benchmark"
REPO = "local/reading"


def write_rows(folder: Path, rows: int) -> int:
    """Parquet shards of seeded texts of a kilobyte; gives the bytes of the texts."""
    chance, size = np.random.default_rng(0), 0
    letters = np.array(list("etaoinshrdlu"))
    words = np.array(["".join(chance.choice(letters, chance.integers(3, 10))) for _ in range(WORDS)])
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    for shard, ids in enumerate(np.array_split(np.arange(rows), SHARDS)):
        texts = [" ".join(row) for row in words[chance.integers(0, WORDS, (len(ids), ROW_WORDS))]]
        size += sum(map(len, texts))
        path = folder / "data" / f"train-{shard:05}-of-{SHARDS:05}.parquet"
        pq.write_table(pa.table({"id": ids, "text": texts}), path, row_group_size=10_000)
    return size


@contextmanager
def published(scratch: Path, rows: int) -> Iterator[tuple[str, Revision, int, int]]:
    """The Hub's address, the pushed revision, bytes of the texts and of the shards."""
    text_bytes = write_rows(scratch / "rows", rows)
    shard_bytes = sum(path.stat().st_size for path in (scratch / "rows").rglob("*.parquet"))
    with hub_process(TOKEN) as endpoint:
        hub = open_hub(
            Settings(_env_file=None, home=scratch, hub=f"{endpoint}/org", hub_token=SecretStr(TOKEN))
        )
        yield endpoint, hub.push("dataset", REPO, scratch / "rows", "rows"), text_bytes, shard_bytes


def read(endpoint: str, pushed: Revision, way: Way, cache: Path) -> Reading:
    """One reading, in a process of its own: the peak of its memory is its alone, and so is the limit."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(cache),
        "MALLOC_ARENA_MAX": "2",  # One for each thread would be held and not used.
        "USE_TORCH": "0",  # `datasets` would import it to stream, and its memory would count.
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "tests.benchmarks.reader", pushed.repo, pushed.revision, way]
    command.append(str(LIMIT_MIB))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{way} ended with {done.returncode}:\n{done.stderr}")
    return Reading.model_validate_json(done.stdout.splitlines()[-1])


def measure(rows: int, rounds: int, scratch: Path) -> tuple[Setup, dict[Way, list[Reading]]]:
    """Every way in each round, by turns, so that a busy minute falls on all."""
    found: dict[Way, list[Reading]] = {way: [] for way in WAYS}
    with published(scratch, rows) as (endpoint, pushed, text_bytes, shard_bytes):
        for number in tqdm(range(rounds), desc="rounds"):
            cache = scratch / f"cache-{number}"
            for way in WAYS:
                found[way].append(read(endpoint, pushed, way, cache))
            shutil.rmtree(cache)
    setup = Setup(
        rows=rows,
        text_bytes=text_bytes,
        shard_bytes=shard_bytes,
        limit_mib=LIMIT_MIB,
        cpu=cpuinfo.get_cpu_info()["brand_raw"],
        cores=len(os.sched_getaffinity(0)),
    )
    return setup, found


def main(arguments: Sequence[str]) -> int:
    """Make the rows, measure, write the page."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.reading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="few rows, figures of no worth")
    parser.add_argument("--page", type=Path, help="where the page is written; default: docs/READING.md")
    asked = parser.parse_args(arguments)
    rows, rounds = (QUICK_ROWS, QUICK_ROUNDS) if asked.quick else (ROWS, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="reading-benchmark-") as folder:
        setup, found = measure(rows, rounds, Path(folder))
    text = page(setup, found)
    if asked.quick and asked.page is None:
        print(text)
        return 0
    (asked.page or PAGE).write_text(text, encoding="utf-8")
    print(asked.page or PAGE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
