"""A data set on the Hub, read back by `datasets` as anybody would: the same rows in the same order."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.hub.remote import RemoteHub
from tests.fakes.hub import HubServer
from tests.infra.hub.folders import REPO, TOKEN, folder_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
# HF_ENDPOINT is read when the client is imported, so the reader is a process of its own.
READ = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], revision=sys.argv[2], split="train", streaming=sys.argv[3] == "streamed")
print(json.dumps([row["text"] for row in rows]))
"""


@pytest.mark.parametrize("way", ["streamed", "mapped"])
def test_the_rows_come_back_in_their_order_though_main_has_moved(
    server: HubServer, remote: RemoteHub, tmp_path: Path, way: str
) -> None:
    folder, rows = folder_of(tmp_path / "set", **{"README.md": "---\nlicense: mit\n---\n"}), []
    (folder / "data").mkdir()
    for shard in range(3):
        texts = [f"row {shard} {number}" for number in range(200)]
        pq.write_table(pa.table({"text": texts}), folder / "data" / f"train-{shard:05}-of-00003.parquet")
        rows += texts
    pushed = remote.push("dataset", REPO, folder, "rows")
    pq.write_table(pa.table({"text": ["other"]}), folder / "data" / "train-00000-of-00003.parquet")
    assert remote.push("dataset", REPO, folder, "other rows").revision != pushed.revision
    environment = os.environ | {
        "HF_ENDPOINT": server.endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "hf"),
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-c", READ, pushed.repo, pushed.revision, way]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == rows
