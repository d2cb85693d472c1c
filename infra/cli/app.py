"""The house's own commands: `python -m infra.cli up | down | status | promotions | rollback | lineage | gc | ...`.

Flows are run by `python -m flows.<name>`; this is for what stands around them.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliApp,
    CliPositionalArg,
    CliSettingsSource,
    CliSubCommand,
    SettingsConfigDict,
    SettingsError,
)

from infra.cli import messages, mistyped, sources
from infra.cli.environment_command import Env
from infra.cli.promotion_commands import Rollback, ShowPromotions
from infra.cli.store_commands import StoreCommands
from infra.errors import StillhouseError
from infra.machine import surroundings
from infra.machine.environment import Services, require_folder, running_services
from infra.machine.login import log_in, login_file, server_login
from infra.machine.prefect_import import import_prefect
from infra.machine.processes import last_error
from infra.machine.schedules import REMEDY, Scheduled, await_next_runs
from infra.machine.services import Processes, log_file, run_services, stop_services
from infra.machine.terminal import Terminal, log_visibly, one_line
from infra.machine.up_lock import left_behind
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.tracking.connection import settle_home

if TYPE_CHECKING:
    from infra.catalog.garbage import Garbage

PROJECT = Path(__file__).resolve().parents[2]
PIPED_WIDTH = 250
COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}
MODULE = "python -m infra.cli"

console = Terminal()


class Up(BaseModel):
    """Run Prefect's server and MLflow's UI on 127.0.0.1 until Ctrl-C; flows find them by themselves."""

    worker: bool = Field(False, description="also deploy prefect.yaml and run a worker for its schedules")

    def cli_cmd(self) -> None:
        """Start, say where, stay."""
        console.print("Starting Prefect and MLflow ...")
        run_services(get_settings(), self._ready)
        console.print("Stopped.")

    def _ready(self, services: Services) -> Processes:
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
        if self.worker:
            deploy_all(PROJECT)
        for one in await_next_runs(services.prefect_api_url, login):
            _show_schedule(one, last_error(log_file(settings, "prefect")))
        _show(services)
        _show_login(services, login)
        console.print(
            "Ctrl-C stops both." if not self.worker else "A worker waits for runs. Ctrl-C stops all three."
        )
        return {"worker": start_worker(PROJECT, log_file(settings, "worker"))} if self.worker else {}


class Down(BaseModel):
    """End the servers of this home, also those that a killed `up` left behind."""

    def cli_cmd(self) -> None:
        """Stop them and say whether there was anything."""
        console.print("Stopped." if stop_services(get_settings()) else "Nothing was running.")


class Status(BaseModel):
    """Say whether the servers run, and where."""

    def cli_cmd(self) -> None:
        """Addresses, or how to start them."""
        services = running_services(get_settings())
        if services is None:
            console.print("Not running. Start them with `make up`.")
            if said := left_behind(get_settings()):
                console.print(one_line(f"services.json: {said}."))
        else:
            _show(services)
            _show_login(services)


class Lineage(BaseModel):
    """Draw what an artifact was made from, down to the sources."""

    target: CliPositionalArg[str] = Field(
        description="file or folder (also a copied one), artifact:stage/key, owner/name, or a digest's start"
    )

    def cli_cmd(self) -> None:
        """Print the tree."""
        from infra.catalog.lineage import find_record, lineage_tree

        store = Store(get_settings())
        tree = lineage_tree(store, find_record(store, self.target))
        Terminal(soft_wrap=False, width=None if console.is_terminal else PIPED_WIDTH).print(tree)


class Gc(BaseModel):
    """Free artifacts that no kept release reaches, and what else grows in this home; only in this home."""

    dry_run: bool = Field(False, description="only say what would go")
    keep_days: float = Field(
        7.0, ge=0, description="days after its last use for which anything is kept, released or not"
    )
    keep_releases: int | None = Field(
        None, ge=1, description="newest releases of each repository that count; default: all"
    )

    def cli_cmd(self) -> None:
        """List it, and free it unless told not to."""
        from infra.catalog.gc import find_garbage, free, unreadable

        settings = get_settings()
        for folder in unreadable(settings):
            console.print(
                f"kept: {folder.relative_to(settings.home)} has a record that this version cannot read. Use the version "
                "that wrote it, or delete the folder yourself."
            )
        garbage = find_garbage(settings, self.keep_days, self.keep_releases)
        gone = garbage if self.dry_run else free(settings, garbage)
        for item in garbage:
            kept = "" if item in gone else "  (in use, stays)"
            pieces = f" ({item.pieces})" if item.pieces > 1 else ""
            console.print(
                one_line(
                    f"{item.size / 1e6:9.1f} MB  {item.path.relative_to(settings.home)}{pieces}  {item.why}{kept}"
                )
            )
        console.print(_freed(gone, self.dry_run))
        if settings.store is not None:
            console.print("Nothing is deleted in the shared store: other homes count on it.")


def _freed(gone: "Sequence[Garbage]", dry_run: bool) -> str:
    """How much, and of what kind."""
    sizes: dict[str, int] = {}
    for item in gone:
        sizes[item.kind] = sizes.get(item.kind, 0) + item.size
    kinds = ", ".join(f"{kind} {size / 1e6:.1f}" for kind, size in sizes.items())
    freed = f"{'Would free' if dry_run else 'Freed'} {sum(sizes.values()) / 1e6:.1f} MB"
    total = f"{freed} in {len(gone)} folders"
    return f"{total}: {kinds}." if kinds else f"{total}."


class Doctor(BaseModel):
    """Look at versions, CPU, disk and services; say what to do. Exit code 1 if something is wrong."""

    def cli_cmd(self) -> None:
        """Print a line a check."""
        from infra.cli.doctor import examine

        faults = 0
        for check in examine(get_settings()):
            faults += check.state == "fault"
            mark = (f"{check.state:<5}", COLOURS[check.state])
            console.print(one_line(mark, f" {check.name:<17} {check.found}"))
            if check.remedy:
                console.print(one_line(f"{'':>25}{check.remedy}"))
        if faults:
            raise SystemExit(1)


class Cli(BaseSettings):
    """Stillhouse's servers, champions, lineage, clean-up and health."""

    model_config = SettingsConfigDict(
        env_prefix="STILLHOUSE_CLI_",
        cli_prog_name=MODULE,
        cli_kebab_case=True,
        cli_implicit_flags=True,
    )

    up: CliSubCommand[Up] = Field(description="run Prefect's server and MLflow's UI until Ctrl-C")
    down: CliSubCommand[Down] = Field(description="end them, also what a killed `up` left behind")
    status: CliSubCommand[Status] = Field(description="whether they run, and where")
    lineage: CliSubCommand[Lineage] = Field(description="what an artifact was made from, down to the sources")
    promotions: CliSubCommand[ShowPromotions] = Field(description="who was champion of a model, when and why")
    rollback: CliSubCommand[Rollback] = Field(description="make a model's previous champion champion again")
    gc: CliSubCommand[Gc] = Field(description="free what no kept release reaches, and what else grows")
    store: CliSubCommand[StoreCommands] = Field(description="the shared store: upload what it does not have")
    doctor: CliSubCommand[Doctor] = Field(
        description="look at versions, CPU, disk and services; say what to do"
    )
    env: CliSubCommand[Env] = Field(
        description="the environment that points `prefect` and `mlflow` at this home"
    )

    def cli_cmd(self) -> None:
        """Run the command that was named, where the environment lets it."""
        settings = get_settings()
        sources.tell()
        for warning in mistyped.warnings():
            messages.warn(warning)
        if self.doctor is None and self.env is None:  # `doctor` lists what is in the way, `env` needs nothing
            surroundings.set_right(settings.home)
            surroundings.refuse_obstacles()
            require_folder(settings)
        CliApp.run_subcommand(self)


class Stillhouse(Cli):
    """`stillhouse run FLOW ...` runs a flow. The rest: servers, champions, lineage, clean-up and health."""

    model_config = SettingsConfigDict(cli_prog_name="stillhouse")


def main(arguments: Sequence[str] | None = None, program: str = MODULE) -> int:
    """Run one command; returns its exit code (2: not understood). A user's mistake is one message."""
    messages.print_anything()
    log_visibly()
    cli = Cli if program == MODULE else Stillhouse
    try:
        CliApp.run(
            cli,
            cli_args=list(sys.argv[1:] if arguments is None else arguments) or ["--help"],
            cli_settings_source=CliSettingsSource(
                cli, root_parser=messages.Parser(prog=program, description=cli.__doc__, allow_abbrev=False)
            ),
        )
    except ValidationError as error:
        for wrong in error.errors():
            command, *option = (str(part).replace("_", "-") for part in wrong["loc"])
            found = f"{command} --{'.'.join(option)} is {wrong['input']!r}"
            messages.complain(f"{found}: {wrong['msg']}. See `{command} --help`.")
        return 2
    except (StillhouseError, SettingsError) as error:
        messages.complain(str(error))
        return 1
    return 0


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


def _show_login(services: Services, login: str | None = None) -> None:
    """What Prefect's UI asks for: the string where a person reads it and nothing keeps it, else the file that holds it."""
    if not services.login:
        return
    if login is not None and sys.stdout.isatty():
        console.print(f"Login    {login}  (Prefect's UI asks for it)")
    else:
        console.print(f"Login    in {login_file(get_settings())}  (Prefect's UI asks for it)")
