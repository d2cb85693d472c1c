"""Two machines that share a store and compute the same keys at once, each with other bytes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.object_stores import BUCKET, gcs_server, s3_server
from tests.faults.two_machines import KEYS, MACHINES

pytestmark = pytest.mark.slow  # two machines are two processes with a flow each


@contextmanager
def shared_store(kind: str, root: Path) -> Iterator[dict[str, str]]:
    """Settings for a shared store of a kind, of this test alone."""
    if kind == "file":
        yield {"STILLHOUSE_STORE": (root / "store").as_uri()}
        return
    with s3_server() if kind == "s3" else gcs_server() as endpoint:
        yield {
            "STILLHOUSE_STORE": f"{kind}://{BUCKET}/two-machines",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "STORAGE_EMULATOR_HOST": endpoint,
        }


@pytest.fixture(params=["file", *(pytest.param(kind, marks=pytest.mark.whole_runs) for kind in ("s3", "gs"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    with shared_store(request.param, tmp_path) as settings:
        yield settings


def start(home: Path, outside: Path, settings: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.two_machines", str(outside)]
    environment = {**os.environ, **settings, "STILLHOUSE_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def rolled(home: Path) -> dict[str, str]:
    """What lies in a home, by the folder of its key."""
    return {path.parent.name: path.read_text() for path in home.glob("artifacts/roll/*/rolled.txt")}


@pytest.mark.usefixtures("prefect_server")
def test_two_machines_that_compute_one_key_at_once_end_with_the_same_artifact(
    store: dict[str, str], tmp_path: Path, tracking_database: Path
) -> None:
    homes, outside = (tmp_path / "a", tmp_path / "b"), tmp_path / "outside"
    outside.mkdir()
    for home in homes:
        (home / "mlflow").mkdir(parents=True)
        shutil.copy(tracking_database, home / "mlflow" / "mlflow.db")
    running = [start(home, outside, store) for home in homes]
    digests = [json.loads(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    computed = [path.read_text().splitlines() for path in outside.iterdir()]
    assert [len(set(lines)) for lines in computed] == [MACHINES] * KEYS
    assert digests[0] == digests[1]
    assert rolled(homes[0]) == rolled(homes[1])
    assert len(rolled(homes[0])) == KEYS
