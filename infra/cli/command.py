"""The command `stillhouse`: run a flow, the servers, what was computed, what was released, the machine's health.

Commands of flows and tasks are found by the entry points `stillhouse.commands`.
"""

from infra.machine.quick_exit import leave  # isort: skip

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from infra.cli import messages, sources
from infra.cli.artifact_commands import artifacts
from infra.cli.doctor_command import doctor
from infra.cli.environment_command import env
from infra.cli.model_commands import models
from infra.cli.run_commands import PROGRAM, recipes, run, runs
from infra.cli.server_commands import down, status, up
from infra.engine.registry import COMMANDS, flow_commands
from infra.errors import StillhouseError
from infra.machine import surroundings
from infra.machine.environment import require_folder
from infra.machine.terminal import log_visibly
from infra.settings import get_settings

# `doctor` lists what is in the way, `env` and `recipes` need nothing, and a flow looks for itself.
UNASKED = (doctor, env, recipes, run)
INTERRUPTED = 130  # as a shell says of who was ended by Ctrl-C


def stillhouse() -> App:
    """The application, with the commands of whoever is installed."""
    app = App(
        name=PROGRAM,
        help="From SQL to a small, fast, released language model, every step cached, tracked and repeatable.",
        version=lambda: version(PROGRAM),
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
    )
    app.command(run, help_flags=[], version_flags=[])
    for command in (recipes, up, down, status, doctor, env, artifacts, runs, models):
        app.command(command)
    flows = flow_commands()
    for entry in entry_points(group=COMMANDS):
        if entry.name not in flows:
            app.command(entry.load(), name=entry.name)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (2: not understood). A user's mistake is one message."""
    messages.print_anything()
    messages.show_uncaught()
    log_visibly()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command, bound, _ = stillhouse().parse_args(argv, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        messages.complain(f"{error} See `{' '.join([PROGRAM, *(error.command_chain or ())])} --help`.")
        return 2
    try:
        if not _is_help(command) and command not in UNASKED:
            _look_around()
        return int(command(*bound.args, **bound.kwargs) or 0)
    except StillhouseError as error:
        return messages.show(error)
    except KeyboardInterrupt:
        messages.say_aside("interrupted.")
        return INTERRUPTED


def console_script() -> None:
    """`stillhouse` on the command line."""
    leave(main())


def _look_around() -> None:
    """Say where settings come from and what is odd in them; raises StillhouseError for what is in any command's way."""
    settings = get_settings()
    sources.tell()
    surroundings.set_right(settings.home)
    surroundings.refuse_obstacles()
    require_folder(settings)


def _is_help(command: Any) -> bool:
    """Whether it is cyclopts' own `--help` or `--version`."""
    return isinstance(getattr(command, "__self__", None), App)
