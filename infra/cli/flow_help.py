"""`--help` of a flow: what users set; `--help-all`: every field, with its bounds.

A field that users set says so where it is declared: `json_schema_extra={"often": True}`. A section whose own field has
`{"seldom": True}` is in the whole help alone, whatever its fields say.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.table import Table
from rich.text import Text

from infra.cli.layers import section_of
from infra.machine.terminal import Terminal, one_line

OFTEN, SELDOM = "often", "seldom"
WIDTH = 100
NAMES = {Path: "FILE", int: "N", float: "X", bool: "true|false", str: "TEXT"}


def print_help(description: str, options: dict[str, str], config: type[BaseModel], whole: bool) -> None:
    """What a flow is, what can be typed beside its fields, and its fields: those that users set, or the `whole`."""
    terminal = Terminal(soft_wrap=False)
    terminal.width = WIDTH if not terminal.is_terminal else min(terminal.width, WIDTH)
    terminal.print(description)
    table = _table()
    for option, meaning in options.items():
        table.add_row(one_line((option, "bold")), one_line(meaning))
    terminal.print(table)
    for heading, fields in _sections(config, whole):
        table = _table()
        for name, field in fields:
            table.add_row(
                _asked(name, field),
                one_line(said(field, whole, field.get_default(call_default_factory=True, validated_data={}))),
            )
        terminal.print(one_line((heading, "yellow")))
        terminal.print(table)


def bounds(field: FieldInfo) -> str:
    """From where to where a number may lie, as a person says it: `1 to 1000`, `above 0`, `0 to below 1`."""
    found = {type(one): one for one in field.metadata}
    low = f"{found[Ge].ge:g}" if Ge in found else f"above {found[Gt].gt:g}" if Gt in found else ""
    high = f"{found[Le].le:g}" if Le in found else f"below {found[Lt].lt:g}" if Lt in found else ""
    if low and high:
        return f"{low} to {high}"
    return high or (low if low.startswith("above") or not low else f"{low} or more")


def _table() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=34, overflow="fold")
    table.add_column(overflow="fold")
    return table


def _sections(config: type[BaseModel], whole: bool) -> Iterator[tuple[str, list[tuple[str, FieldInfo]]]]:
    """Fields by the section of the flow that they are in, as it is described; those of none come first."""
    own = [(name, field) for name, field in config.model_fields.items() if section_of(field) is None]
    if own := [one for one in own if whole or is_often(one[1])]:
        yield "of the whole run", own
    for name, field in config.model_fields.items():
        if (section := section_of(field)) is None or (is_marked(field, SELDOM) and not whole):
            continue
        if fields := [one for one in _flat(section, f"{name}.") if whole or is_often(one[1])]:
            yield f"{name}: {field.description}", fields


def _flat(config: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in config.model_fields.items():
        if (section := section_of(field)) is not None:
            yield from _flat(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def is_often(field: FieldInfo) -> bool:
    """Whether it is a field that users set."""
    return is_marked(field, OFTEN)


def is_marked(field: FieldInfo, mark: str) -> bool:
    """Whether its `json_schema_extra` says so."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(mark))


def _asked(name: str, field: FieldInfo) -> Text:
    entry = ".NAME" if get_origin(field.annotation) is dict else ""
    return one_line((f"--{name.replace('_', '-')}{entry}", "bold"), f" {_value(field.annotation)}")


def _value(kind: Any) -> str:
    """What stands behind an option."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _value(next(one for one in inside if one is not NoneType))
    if origin is Literal:
        return "|".join(str(one) for one in inside)
    if origin is tuple:
        first = _value(inside[0])
        return f"{first},..." if inside[-1] is Ellipsis else ",".join(_value(one) for one in inside)
    return "VALUE" if origin is dict else NAMES.get(kind, "VALUE")


def said(field: FieldInfo, whole: bool, default: Any) -> str:
    """The description, the bounds, the default; in short its first clause and `[default]`."""
    text = (field.description or "") if whole else _first_clause(field)
    if isinstance(default, tuple | list):
        default = ",".join(str(one) for one in default)
    shown = (
        ""
        if default in (None, "", {})
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    if not whole:
        return f"{text} [{shown}]" if shown else text
    facts = ", ".join(one for one in (bounds(field), shown and f"default {shown}") if one)
    return f"{text} ({facts})" if facts else text


def _first_clause(field: FieldInfo) -> str:
    """A description to its first full stop or semicolon outside of brackets; of words to choose from, with all of them."""
    text = field.description or ""
    ends = r"\. " if get_origin(field.annotation) is Literal else r"\. |; "
    for end in re.finditer(ends, text):
        before = text[: end.start()]
        if before.count("(") == before.count(")"):
            return before
    return text
