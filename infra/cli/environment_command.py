"""`stillhouse env`: a shell's `prefect` and `mlflow` speak to this home, and to the servers of its `up`."""

import os
import shlex

from infra.cli import messages
from infra.machine.environment import prepare
from infra.settings import get_settings, holds_credentials, without_credentials
from infra.tracking.connection import tracking_uri

SHOWN_ENVIRONMENT = ("PREFECT_", "MLFLOW_")


def env() -> None:
    """Print what points `prefect` and `mlflow` at this home: `eval "$(stillhouse env)"`."""
    # One export a line, of what this shell does not have: nothing that a user has set is printed, secret or not.
    shell = dict(os.environ)
    prepare()
    wanted = {name: value for name, value in os.environ.items() if name.startswith(SHOWN_ENVIRONMENT)}
    wanted["MLFLOW_TRACKING_URI"] = tracking_uri(get_settings())
    for name, value in sorted(wanted.items()):
        if shell.get(name) != value:
            _export(name, value)
        elif holds_credentials(value):
            messages.say_aside(f"# {name} holds a password and is not printed: this shell has it already.")
    for name in sorted(shell.keys() - os.environ.keys()):
        print(f"unset {name}")


def _export(name: str, value: str) -> None:
    if not holds_credentials(value) and without_credentials(value) == value:
        print(f"export {name}={shlex.quote(value)}")
    elif os.environ.get("STILLHOUSE_MLFLOW_URI") == value:
        print(f'export {name}="$STILLHOUSE_MLFLOW_URI"')
    else:
        messages.say_aside(f"# {name} holds a password and is not printed: {get_settings().env_file} has it.")
