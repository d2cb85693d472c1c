"""A deployment's run is cancelled in Prefect while a stage of it computes in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.settings import Settings
from infra.store.locks import keys_in_use
from tests.infra.engine.stages import CHECKPOINT, LearnConfig
from tests.infra.machine.test_schedules import PROJECT, Up, asked, until

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]
PATIENCE = 300.0


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """`up --worker`, with stages in processes of their own."""
    with asked(tmp_path / "home", PATIENCE, 60, STILLHOUSE_STAGE_PROCESSES="true") as found:
        yield found


def test_its_process_ends_its_key_is_free_and_its_checkpoint_is_kept(up: Up, tmp_path: Path) -> None:
    flow = up.post("flows/", {"name": "learning"})["id"]
    wanted = {"name": "cancelled", "flow_id": flow, "entrypoint": "tests/infra/engine/learning.py:learning",
             "path": str(PROJECT), "work_pool_name": "stillhouse", "enforce_parameter_schema": False}  # fmt: skip
    config = LearnConfig(meets="wait", steps=5, marks=str(tmp_path)).model_dump(mode="json")
    deployment = up.post("deployments/", wanted)["id"]
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
