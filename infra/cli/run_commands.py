"""`stillhouse run | recipes | runs list`: flows, what they can run with, and what they did.

Flows are found by the entry points `stillhouse.commands`, whose other commands `command.py` takes. Unlike `python -m`, a
console script has no working folder on its path: a `tasks.py` or a folder `flows/` there does no harm.
"""

import difflib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import App, Parameter
from cyclopts.validators import Number

from infra.cli.flow_command import USAGE_ERROR, FlowCommand
from infra.cli.layers import FLOW, purpose, read_layer
from infra.engine.registry import flow_commands
from infra.errors import ConfigError
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings

PROGRAM = "stillhouse"
YAML, HELP = (".yaml", ".yml"), ("-h", "--help")

console = Terminal()
runs = App(name="runs", help="What ran in this home.")


def run(
    flow: Annotated[
        str, Parameter(allow_leading_hyphen=True, help="a flow's name, or a recipe.yaml that says `flow:`")
    ] = "",
    /,
    *asked: Annotated[str, Parameter(allow_leading_hyphen=True, help="its fields: `run FLOW --help`")],
) -> int:
    """Run a flow: `stillhouse run end-to-end --extract.table tickets.csv`, `stillhouse run recipe.yaml`."""
    if flow in ("", *HELP):
        _list_flows()
        return 0 if flow else USAGE_ERROR
    if not flow.endswith(YAML):
        return _named(flow).main(asked)
    said = read_layer(Path(flow)).get(FLOW)
    if not isinstance(said, str):
        raise ConfigError(
            f"{flow} does not say which flow it is of: expected a line `{FLOW}: NAME`, with one of "
            f"{', '.join(flow_commands())}. Add it, or run `{PROGRAM} run NAME --config {flow}`."
        )
    return _named(said).main(["--config", flow, *asked])


def recipes() -> None:
    """List the recipes that come along, by flow: what each is for, and what runs it."""
    for name, command in flow_commands().items():
        for path in command.recipes():
            started = f"{PROGRAM} run {_typed(name)} --preset {path.stem}"
            console.print(one_line((f"{started:<52}", "bold"), f" {purpose(path)}"))


@runs.command(name="list")
def list_runs(
    *, most: Annotated[int, Parameter(validator=Number(gte=1), help="of the newest, so many")] = 20
) -> None:
    """List the newest runs of flows: when, how long, how they ended, what the gate said, and where MLflow has them."""
    from infra.tracking.client import recent_runs
    from infra.tracking.connection import registry_uri

    found = recent_runs(registry_uri(get_settings()), most)
    for one in found:
        took = timedelta(seconds=round((one.ended - one.started) / 1000)) if one.ended else "-"
        begun = datetime.fromtimestamp(one.started / 1000, UTC)
        colour = {"FINISHED": "green", "RUNNING": "yellow"}.get(one.status, "red")
        console.print(
            one_line(
                f"{begun:%Y-%m-%d %H:%M:%S}Z  {took!s:>8}  ", (f"{one.status:<9}", colour), f" {one.verdict:<15} ",
                f"{one.name:<36}  MLflow {one.run}",
            )
        )  # fmt: skip
    if not found:
        console.print(f"Nothing was run yet. Begin with `{PROGRAM} run end-to-end`.")


def _list_flows() -> None:
    console.print(f"usage: {PROGRAM} run FLOW|RECIPE.yaml [--section.field VALUE ...] [--dry-run] ...\n")
    for name, command in flow_commands().items():
        console.print(one_line((f"{_typed(name):<12}", "bold"), f" {command.description}"))
    console.print(
        f"\n`{PROGRAM} run FLOW --help` lists what each takes, `{PROGRAM} recipes` what comes along."
    )


def _named(name: str) -> FlowCommand[Any]:
    """The flow of this name, dashes and underscores being the same. Raises ConfigError when there is none."""
    flows = flow_commands()
    if (found := flows.get(name.replace("-", "_"))) is not None:
        return cast("FlowCommand[Any]", replace(found, called=f"{PROGRAM} run {name}"))
    known = [_typed(one) for one in flows]
    close = difflib.get_close_matches(_typed(name), known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    there = ", ".join(known) or "none, because the package is not installed (`pip install -e .`)"
    raise ConfigError(f"there is no flow {name!r}.{hint} Flows: {there}.")


def _typed(name: str) -> str:
    return name.replace("_", "-")
