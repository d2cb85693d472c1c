"""A deployment's run is cancelled in Prefect while a stage of it computes in a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.machine.login import headers, read_login
from infra.settings import Settings
from infra.store.locks import keys_in_use
from tests.infra.engine.stages import CHECKPOINT, LearnConfig
from tests.infra.machine.test_schedules import PROJECT, Up, environment_of, until

pytestmark = pytest.mark.slow
PATIENCE = 300.0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """`up --worker`, with stages in processes of their own."""
    home = tmp_path / "home"
    environment = environment_of(home) | {"STILLHOUSE_STAGE_PROCESSES": "true"}
    url = f"http://127.0.0.1:{environment['STILLHOUSE_PREFECT_PORT']}/api/"
    with subprocess.Popen([sys.executable, "-m", "infra.cli", "up", "--worker"], env=environment, cwd=PROJECT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # fmt: skip
        said = []
        for line in process.stdout or ():
            said.append(line)
            if "Ctrl-C" in line:
                break
        try:
            assert process.poll() is None, "".join(said)
            with httpx.Client(
                base_url=url, headers=headers(read_login(Settings(home=home))), timeout=60
            ) as http:
                yield Up(home, environment, "".join(said), http)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)


def test_its_process_ends_its_key_is_free_and_its_checkpoint_is_kept(up: Up, tmp_path: Path) -> None:
    flow = up.post("flows/", {"name": "learning"})["id"]
    asked = {"name": "cancelled", "flow_id": flow, "entrypoint": "tests/infra/engine/learning.py:learning",
             "path": str(PROJECT), "work_pool_name": "stillhouse", "enforce_parameter_schema": False}  # fmt: skip
    config = LearnConfig(meets="wait", steps=5, marks=str(tmp_path)).model_dump(mode="json")
    deployment = up.post("deployments/", asked)["id"]
    run = up.post(f"deployments/{deployment}/create_flow_run", {"parameters": {"config": config}})["id"]
    met = tmp_path / "met"
    assert until(lambda: met.is_file() and met.read_text(), PATIENCE)
    child = psutil.Process(int(met.read_text()))
    flow_process = child.parent()
    assert flow_process is not None

    up.post(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    _, alive = psutil.wait_procs([child, flow_process], timeout=60)
    assert alive == []
    assert until(lambda: up.state(run) == "Cancelled", 60)
    assert [kept.read_text() for kept in up.home.glob(f"work/*/{CHECKPOINT}")] == ["wo"]
    assert keys_in_use(Settings(home=up.home).locks) == set()
