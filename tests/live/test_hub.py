"""The Hub itself, when it is asked for: a small private data set is pushed, streamed back in its order, and deleted.

    STILLHOUSE_LIVE_HUB=https://huggingface.co/OWNER STILLHOUSE_HUB_TOKEN=hf_... python -m pytest tests/live/test_hub.py

The repository is OWNER/stillhouse-live-<random>; it is deleted whatever happens. The token is STILLHOUSE_HUB_TOKEN, or the one
of HF_TOKEN or `hf auth login`, and needs the right to write.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi
from huggingface_hub.utils import get_token

from infra.cli.home_checks import check_hub
from infra.files import folder_digest
from infra.hub.connect import open_hub
from infra.hub.remote import RemoteHub
from infra.hub.repository import content_tag
from infra.settings import Settings

ADDRESS = os.environ.get("STILLHOUSE_LIVE_HUB")
TOKEN = os.environ.get("STILLHOUSE_HUB_TOKEN") or get_token()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ADDRESS is None or TOKEN is None, reason="wants STILLHOUSE_LIVE_HUB and a token"),
]
ROOT = Path(__file__).parents[2]
STREAM = """
import json, sys
from datasets import load_dataset
rows = load_dataset(sys.argv[1], revision=sys.argv[2], split="train", streaming=True)
print(json.dumps([row["text"] for row in rows]))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, hub=str(ADDRESS), hub_token=str(TOKEN), hub_private=True)


@pytest.fixture
def repository(settings: Settings) -> Iterator[str]:
    """A name that nobody has; what is under it afterwards is deleted."""
    name, hub = f"local/stillhouse-live-{secrets.token_hex(6)}", open_hub(settings)
    assert isinstance(hub, RemoteHub)
    yield name
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    api.delete_repo(hub.name(name), repo_type="dataset", missing_ok=True)
    assert not api.repo_exists(hub.name(name), repo_type="dataset")


def streamed(hub: RemoteHub, repo: str, revision: str, cache: Path) -> list[str]:
    """The texts as `datasets` streams them, in a process of its own: it reads HF_ENDPOINT when it is imported."""
    given = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": str(TOKEN), "HF_HOME": str(cache)}
    command = [sys.executable, "-c", STREAM, repo, revision]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr.replace(str(TOKEN), "***")
    return json.loads(done.stdout)


def test_a_private_data_set_is_pushed_streamed_back_and_deleted(
    settings: Settings, repository: str, tmp_path: Path
) -> None:
    check = check_hub(settings)
    assert check.state == "ok", check.found
    hub, rows, folder = open_hub(settings), [], tmp_path / "rows"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage:\n- en\n---\n\nMade by a test.\n")
    for shard in range(2):
        texts = [f"row {shard} {number}" for number in range(100)]
        pq.write_table(pa.table({"text": texts}), folder / "data" / f"train-{shard:05}-of-00002.parquet")
        rows += texts
    assert isinstance(hub, RemoteHub)
    pushed = hub.push("dataset", repository, folder, "By a test", source="test")
    assert HfApi(endpoint=hub.endpoint, token=TOKEN).dataset_info(pushed.repo).private
    assert hub.push("dataset", repository, folder, "Again", source="test") == pushed
    assert hub.main("dataset", repository) == pushed.revision
    tagged = content_tag(folder_digest(folder))
    assert hub.resolve("dataset", repository, tagged) == hub.resolve("dataset", repository, pushed.revision)
    assert streamed(hub, pushed.repo, pushed.revision, tmp_path / "cache") == rows
