"""The command `stillhouse`: `stillhouse run FLOW ...`, and every command of `python -m infra.cli`.

Flows are found by the entry points `stillhouse.commands`. Unlike `python -m`, a console script has no working folder on
its path: a `tasks.py` or a folder `flows/` there does no harm.
"""

from infra.machine.quick_exit import leave  # isort: skip

import difflib
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from infra.cli import app, messages
from infra.engine.registry import COMMANDS
from infra.errors import ConfigError, StillhouseError

PROGRAM = "stillhouse"
HELP = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a flow or one of the house's own commands; returns its exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if argv[:1] != ["run"]:
        return app.main(argv, PROGRAM)
    if not argv[1:] or argv[1] in HELP:
        print(_usage())
        return 0 if argv[1:] else 2
    try:
        leave(run_flow(argv[1], argv[2:]))
    except StillhouseError as error:
        return messages.show(error)


def run_flow(name: str, argv: Sequence[str]) -> int:
    """Run the flow of this name, dashes and underscores being the same. Raises ConfigError when there is none."""
    flows = _flows()
    found = flows.get(name.replace("-", "_"))
    if found is None:
        close = difflib.get_close_matches(name.replace("-", "_"), flows, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        known = ", ".join(flows) or "none, because the package is not installed (`pip install -e .`)"
        raise ConfigError(f"there is no flow {name!r}.{hint} Flows: {known}.")
    return int(replace(found.load(), called=f"{PROGRAM} run {name}").main(argv))


def _flows() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=COMMANDS), key=lambda one: one.name)}


def _usage() -> str:
    return (
        f"usage: {PROGRAM} run FLOW [--section.field VALUE ...] [--dry-run] ...\n\nflows: {', '.join(_flows())}\n"
        f"`{PROGRAM} run FLOW --help` lists what each takes."
    )
