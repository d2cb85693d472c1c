"""Values of fields that take several (`--extract.table a.csv,b.csv`): pydantic-settings takes a bracket for JSON."""

from collections.abc import Iterator, Sequence
from typing import get_origin

from pydantic import BaseModel

BRACKETS, CLOSED = ("[", "{"), ("]", "}")


def lists(config: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Options of the fields that take several values, such as `--extract.table`."""
    for name, field in config.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from lists(kind, f"{prefix}{name}.")
        elif get_origin(kind) in (tuple, list):
            yield f"--{prefix}{name}".replace("_", "-")


def as_typed(argv: Sequence[str], options: Sequence[str]) -> list[str]:
    """The arguments, in which a name such as `[draft] tickets.csv` is one in the value of these options."""
    done, inside = [], False
    for argument in argv:
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            inside = name in options
            done.append(name + equals + (_names(value) if inside else value))
        else:
            done.append(_names(argument) if inside else argument)
    return done


def _names(value: str) -> str:
    """Quotes around names where one begins with a bracket; `["a.csv"]` and `[a.csv]` stay as they are."""
    names = [name.strip(" ") for name in value.split(",")]
    bracketed = any(name.startswith(BRACKETS) for name in names) and not value.rstrip().endswith(CLOSED)
    quoted = '","'.join(names)
    return f'["{quoted}"]' if bracketed and '"' not in value else value
