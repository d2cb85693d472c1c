"""Errors that point into the user's SQL: line, column, the line itself with a caret, and what exists instead."""

import difflib
import re
from collections.abc import Collection

from infra.errors import WarehouseError
from infra.warehouse.protocol import Query

# Closed strings, quoted names and comments, so that what is left over of a quote is one that was never closed.
_PIECES = re.compile(
    r"--[^\n]*|\#[^\n]*|/\*.*?\*/|'''(?:\\.|.)*?'''|\"\"\"(?:\\.|.)*?\"\"\""
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`[^`\n]*`|[^'\"`/\#-]+|.",
    re.DOTALL,
)
LISTED = 30  # names shown of what exists


def error_at(query: Query, offset: int | None, what: str) -> WarehouseError:
    """A WarehouseError that points at a character of the query's own text (0-based; None: the whole of it)."""
    if offset is None:
        return WarehouseError(f"{query.name}: {what}")
    before = query.sql[:offset]
    line, column = before.count("\n") + 1, offset - before.rfind("\n")
    text = query.sql.split("\n")[line - 1].replace("\t", " ")  # one column, as the caret counts it
    return WarehouseError(
        f"{query.name}, line {line}, column {column}: {what}\n  {line:>4} | {text}\n{' ' * (8 + column)}^"
    )


def offset_of(sql: str, line: int, column: int) -> int:
    """Character of a 1-based line and column."""
    return sum(len(text) + 1 for text in sql.split("\n")[: line - 1]) + column - 1


def offset_of_name(sql: str, name: str) -> int | None:
    """First character of `name` where it stands as a whole word, outside of comments and strings."""
    for piece in _PIECES.finditer(sql):
        text = piece.group()
        if text.startswith(("--", "#", "/*", "'", '"')):
            continue
        if found := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
            return piece.start() + found.start()
    return None


def first_unclosed(sql: str) -> int | None:
    """First character of a string, quoted name or comment that has no end."""
    for piece in _PIECES.finditer(sql):
        opened = piece.group() in ("'", '"', "`") or (
            piece.group() == "/" and sql.startswith("/*", piece.start())
        )
        if opened:
            return piece.start()
    return None


def choices(name: str, known: Collection[str], kind: str) -> str:
    """What exists, and what of it is closest to `name`."""
    if not known:
        return f"no {kind} was given"
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in known], n=1)
    closest = [other for other in sorted(known) if close and other.lower() == close[0]][:1]
    listed = ", ".join(sorted(known)[:LISTED]) + (", ..." if len(known) > LISTED else "")
    return f"expected one of {listed}" + (f" (closest: {closest[0]})" if closest else "")
