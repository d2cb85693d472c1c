"""Names of stages and actions: one function each, since a name is part of a key and a folder of the store.

Two stages of one name would serve each other's artifacts, in this process or in the store of another.
"""

from collections.abc import Callable
from typing import Any

from infra.errors import ConfigError

_named: dict[str, Callable[..., Any]] = {}


def register(function: Callable[..., Any]) -> str:
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
    return name


def _same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    code, others = one.__code__, other.__code__
    return (one.__module__, one.__qualname__) == (other.__module__, other.__qualname__) or (
        (code.co_filename, code.co_firstlineno) == (others.co_filename, others.co_firstlineno)
    )


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
