"""Flow runs whose process was killed: Prefect and MLflow show them as running until this says otherwise.

A run under way has a file `<home>/runs/<flow run>.json`, which its process holds as long as it lives
(infra/machine/held.py). A file that nobody holds is what a kill leaves behind, on whatever host it was written.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel, ValidationError

from infra.machine.held import is_held
from infra.machine.processes import Child, end_processes
from infra.machine.temporary_servers import is_temporary_server
from infra.settings import Settings
from infra.tracking.tracker import Tracker

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

MESSAGE = "The process of this run is gone: it was killed, or its machine went down."


class Marker(BaseModel):
    """What a flow run writes about itself while it is under way, and holds."""

    pid: int
    pid_started: float
    host: str
    held: bool = False  # an older version held nothing
    flow: str
    flow_run_id: UUID | None
    mlflow_run_id: str | None
    children: tuple[Child, ...] = ()

    @property
    def process(self) -> Child:
        """The process of the run."""
        return Child(pid=self.pid, started=self.pid_started)

    def __str__(self) -> str:
        return f"{self.flow} (process {self.pid} of host {self.host})"


def live_runs(settings: Settings) -> list[Marker]:
    """Runs under way in this home, in whatever container or on whatever host that shares its disk."""
    return [marker for _, marker, held in _markers(settings) if _alive(marker, held)]


def dead_runs(settings: Settings) -> list[Marker]:
    """Runs whose process is gone without having closed them."""
    return [marker for _, marker in _dead(settings)]


def end_dead_runs(settings: Settings) -> int:
    """Mark dead runs as Crashed in Prefect and KILLED in MLflow, and end the processes that they left behind.

    Returns how many there were. A killed run leaves Prefect's temporary server, which nobody uses any more.
    """
    from prefect.client.orchestration import get_client

    dead = _dead(settings)
    if not dead:
        return 0
    with get_client(sync_client=True) as client:
        for path, marker in dead:
            # An older version listed whatever the process had started, its own affairs too.
            end_processes(child for child in marker.children if _is_left_over(child))
            if marker.flow_run_id is not None:
                _crash(client, marker.flow_run_id)
            Tracker(settings, f"stillhouse/{marker.flow}").end_killed(marker.mlflow_run_id)
            path.unlink(missing_ok=True)
    return len(dead)


def _crash(client: "SyncPrefectClient", flow_run_id: UUID) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    try:
        state = client.read_flow_run(flow_run_id).state
    except ObjectNotFound:
        return  # Deleted by hand: nothing is shown any more.
    if state is None or not state.is_final():
        client.set_flow_run_state(flow_run_id, Crashed(message=MESSAGE), force=True)
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    for task_run in client.read_task_runs(flow_run_filter=of_run):
        # Tasks of it that still count as running.
        if task_run.state is not None and not task_run.state.is_final():
            client.set_task_run_state(task_run.id, Crashed(message=MESSAGE), force=True)


def _dead(settings: Settings) -> list[tuple[Path, Marker]]:
    """Nobody holds it, and its process does not live here: that of a copied home's file may, and is the original's."""
    return [
        (path, marker) for path, marker, held in _markers(settings) if not held and not marker.process.lives()
    ]


def _markers(settings: Settings) -> list[tuple[Path, Marker, bool]]:
    """Every file of a run, and whether somebody holds it."""
    found = []
    for path in sorted(settings.runs.glob("*.json")):
        try:
            found.append((path, Marker.model_validate_json(path.read_bytes()), is_held(path)))
        except FileNotFoundError:
            continue  # The run has just ended and taken its file along.
        except ValidationError:
            path.unlink(missing_ok=True)  # Not readable as a marker, so there is no run to be found by it.
    return found


def _alive(marker: Marker, held: bool) -> bool:
    return held or (not marker.held and marker.process.lives())


def _is_left_over(child: Child) -> bool:
    process = child.process()
    return process is not None and is_temporary_server(process)
