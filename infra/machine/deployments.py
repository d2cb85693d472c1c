"""The way from `prefect.yaml` to a running schedule: a work pool, the deployments, a worker."""

import subprocess
import sys
from pathlib import Path

from infra.errors import ServiceError
from infra.machine.environment import server_environment
from infra.machine.processes import start_process

WORK_POOL = "stillhouse"
PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")


def ensure_work_pool() -> None:
    """Make the pool that prefect.yaml names, on PREFECT_API_URL's server: `deploy` refuses without it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=WORK_POOL, type=ProcessWorker.type, base_job_template=template)
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            return  # Perhaps with changes of the user's, which stay.


def deploy_all(project: Path) -> None:
    """Register every deployment of `project`'s prefect.yaml. Raises ServiceError with Prefect's own words."""
    done = subprocess.run((*PREFECT, "deploy", "--all"), cwd=project, capture_output=True, text=True)
    if done.returncode:
        raise ServiceError(
            f"`prefect --no-prompt deploy --all` ended with {done.returncode} in {project}: expected it to "
            f"take the prefect.yaml there. Correct what it says:\n{done.stdout}{done.stderr}"
        )


def start_worker(project: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a worker that runs what is due, in `project`'s folder and with this Python."""
    command = (*PREFECT, "worker", "start", "--pool", WORK_POOL)
    return start_process(log, command, cwd=project, environment=server_environment())
