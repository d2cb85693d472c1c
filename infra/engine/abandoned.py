"""Flow runs whose process was killed: Prefect and MLflow show them as running until this says otherwise.

A run under way has a file `<home>/runs/<flow run>.json` with its process (infra/engine/run.py). A file whose process
is gone is what a kill leaves behind.
"""

import socket
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel, ValidationError

from infra.machine.processes import Child, end_processes
from infra.settings import Settings
from infra.tracking.tracker import Tracker

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

MESSAGE = "The process of this run is gone: it was killed, or its machine went down."


class Marker(BaseModel):
    """What a flow run writes about itself while it is under way."""

    pid: int
    pid_started: float
    host: str
    flow: str
    flow_run_id: UUID | None
    mlflow_run_id: str | None
    children: tuple[Child, ...] = ()


def live_runs(settings: Settings) -> list[Marker]:
    """Runs under way in this home. Those of another host count as alive: nothing here can tell."""
    return [marker for _, marker in _markers(settings) if _alive(marker)]


def dead_runs(settings: Settings) -> list[Marker]:
    """Runs whose process is gone without having closed them."""
    return [marker for _, marker in _markers(settings) if not _alive(marker)]


def end_dead_runs(settings: Settings) -> int:
    """Mark dead runs as Crashed in Prefect and KILLED in MLflow, and end the processes that they left behind.

    Returns how many there were. A killed run leaves Prefect's temporary server, which nobody uses any more.
    """
    from prefect.client.orchestration import get_client

    dead = [(path, marker) for path, marker in _markers(settings) if not _alive(marker)]
    if not dead:
        return 0
    with get_client(sync_client=True) as client:
        for path, marker in dead:
            end_processes(child.pid for child in marker.children if child.lives())
            if marker.flow_run_id is not None:
                _crash(client, marker.flow_run_id)
            Tracker(settings, f"stillhouse/{marker.flow}").end_killed(marker.mlflow_run_id)
            path.unlink(missing_ok=True)
    return len(dead)


def _crash(client: "SyncPrefectClient", flow_run_id: UUID) -> None:
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    try:
        state = client.read_flow_run(flow_run_id).state
    except ObjectNotFound:
        return  # Deleted by hand: nothing is shown any more.
    if state is None or not state.is_final():
        client.set_flow_run_state(flow_run_id, Crashed(message=MESSAGE), force=True)
    for task_run in _task_runs(client, flow_run_id):
        client.set_task_run_state(task_run, Crashed(message=MESSAGE), force=True)


def _task_runs(client: "SyncPrefectClient", flow_run_id: UUID) -> list[UUID]:
    """Tasks of a run that still count as running."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    found = client.read_task_runs(flow_run_filter=of_run)
    return [run.id for run in found if run.state is not None and not run.state.is_final()]


def _markers(settings: Settings) -> list[tuple[Path, Marker]]:
    found = []
    for path in sorted(settings.runs.glob("*.json")):
        try:
            found.append((path, Marker.model_validate_json(path.read_bytes())))
        except FileNotFoundError:
            continue  # The run has just ended and taken its file along.
        except ValidationError:
            path.unlink(missing_ok=True)  # Not readable as a marker, so there is no run to be found by it.
    return found


def _alive(marker: Marker) -> bool:
    if marker.host != socket.gethostname():
        return True
    return Child(pid=marker.pid, started=marker.pid_started).lives()
