"""Names of stages and actions: one function each, since a name is part of a key and a folder of the store.

Two stages of one name would serve each other's artifacts, in this process or in the store of another.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from infra.errors import ConfigError
from infra.settings import Settings

COMMANDS = "stillhouse.commands"  # the entry points by which commands of flows and of tasks are found
_named: dict[str, Callable[..., Any]] = {}
_stages: set[str] = set()


def register(function: Callable[..., Any], stage: bool = False) -> str:
    """Take a function's name for it alone, and return it. Raises ConfigError when another function has it.

    A function that is defined again in its place (a notebook's cell, a module that is also `__main__`) is the same.
    """
    name = function.__name__
    other = _named.setdefault(name, function)
    if not _same(other, function):
        raise ConfigError(
            f"two stages or actions are called {name}: {_place(other)} and {_place(function)}. Expected a name of its own "
            "for each: keys and the store's folders are made of it. Rename one."
        )
    _named[name] = function
    if stage:
        _stages.add(name)
    return name


def flow_commands() -> dict[str, Any]:
    """The command of every flow that is installed, by the flow's name: what asks for a config, and loads its flow."""
    found = {entry.name: entry.load() for entry in sorted(entry_points(group=COMMANDS), key=lambda e: e.name)}
    return {name: command for name, command in found.items() if hasattr(command, "config")}


def check_kept_home(settings: Settings) -> None:
    """Raise ConfigError when a stage that is to stay at home is none, of this flow, of another or of this home.

    A slip of the pen would send there what is meant to stay.
    """
    known = {folder.name for folder in settings.artifacts.glob("*")}
    if not _unknown(settings, known):
        return
    for command in flow_commands().values():
        command.load()  # Its stages are known from then on.
    if wrong := _unknown(settings, known):
        raise ConfigError(
            f"STILLHOUSE_STORE_KEEP_HOME names {', '.join(wrong)}, and there is no such stage: expected some of "
            f"{', '.join(sorted(_stages | known))}. Correct it."
        )


def _unknown(settings: Settings, known: set[str]) -> list[str]:
    return [name for name in settings.store_keep_home if name not in _stages | known]


def _same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    code, others = one.__code__, other.__code__
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__) or (
        (code.co_filename, code.co_firstlineno) == (others.co_filename, others.co_firstlineno)
    )


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
