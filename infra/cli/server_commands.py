"""`stillhouse up | down | status`: Prefect's server, MLflow's UI and the reports of this home."""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from infra.machine.environment import Services, running_services
from infra.machine.login import log_in, login_file, server_login
from infra.machine.prefect_import import import_prefect
from infra.machine.processes import last_error
from infra.machine.report_address import report_address
from infra.machine.schedules import REMEDY, Scheduled, await_next_runs
from infra.machine.services import Processes, log_file, run_services, stop_services
from infra.machine.terminal import Terminal, one_line
from infra.machine.up_lock import left_behind
from infra.settings import get_settings
from infra.tracking.connection import settle_home

PROJECT = Path(__file__).resolve().parents[2]

console = Terminal()


def up(
    *,
    worker: Annotated[
        bool, Parameter(help="also deploy prefect.yaml and run a worker for its schedules")
    ] = False,
) -> None:
    """Run Prefect's server, MLflow's UI and the reports on 127.0.0.1 until Ctrl-C; flows find them by themselves."""
    console.print("Starting Prefect and MLflow ...")
    run_services(get_settings(), lambda services: _ready(services, worker))
    console.print("Stopped.")


def down() -> None:
    """End the servers of this home, also those that a killed `up` left behind."""
    console.print("Stopped." if stop_services(get_settings()) else "Nothing was running.")


def status() -> None:
    """Say whether the servers run, and where."""
    services = running_services(get_settings())
    if services is None:
        console.print("Not running. Start them with `stillhouse up`.")
        if said := left_behind(get_settings()):
            console.print(one_line(f"services.json: {said}."))
    else:
        _show(services)
        _show_login(services)


def _ready(services: Services, worker: bool) -> Processes:
    settings = get_settings()
    os.environ["PREFECT_API_URL"], login = services.prefect_api_url, server_login(settings)
    log_in(login)
    # Prefect reads its environment when it is imported, so not before it is set.
    import_prefect()
    from infra.engine.abandoned import end_dead_runs
    from infra.machine.deployments import deploy_all, ensure_work_pool, start_worker

    settle_home(settings)
    ensure_work_pool()
    if ended := end_dead_runs(settings):
        console.print(f"{ended} killed run(s) marked as crashed")
    if worker:
        deploy_all(PROJECT)
    for one in await_next_runs(services.prefect_api_url, login):
        _show_schedule(one, last_error(log_file(settings, "prefect")))
    _show(services)
    _show_login(services, login)
    console.print("Ctrl-C stops them." if not worker else "A worker waits for runs. Ctrl-C stops them all.")
    return {"worker": start_worker(PROJECT, log_file(settings, "worker"))} if worker else {}


def _show_schedule(one: Scheduled, error: str | None) -> None:
    if one.next_run is not None:
        console.print(f"{one.deployment}: next run {one.next_run:%Y-%m-%d %H:%M} UTC")
        return
    said = f" The log's last error: {error}" if error else ""
    fault = f" {one.deployment} is scheduled and has no next run. {REMEDY}{said}"
    console.print(one_line(("fault", "red"), fault))


def _show(services: Services) -> None:
    console.print(f"Prefect  {services.prefect_api_url.removesuffix('/api')}")
    console.print(f"MLflow   {services.mlflow_tracking_uri}")
    where = report_address(get_settings()) if sys.stdout.isatty() else "linked from both, run by run"
    console.print(f"Reports  {where}")


def _show_login(services: Services, login: str | None = None) -> None:
    """What Prefect's UI asks for: the string where a person reads it and nothing keeps it, else the file that holds it."""
    if not services.login:
        return
    if login is not None and sys.stdout.isatty():
        console.print(f"Login    {login}  (Prefect's UI asks for it)")
    else:
        console.print(f"Login    in {login_file(get_settings())}  (Prefect's UI asks for it)")
