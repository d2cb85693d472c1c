"""Text from data inside of Markdown, so that it stays text: no picture, no link, no heading, no HTML.

CommonMark 0.31 says what is markup: section 2.4 what a backslash escapes, 4 what begins a block, 6.2 when `_` is
emphasis; tables, strike-through and formulas are the Hub's. Plain words come out as they are, so that a card can be
read as it is written too. A bare address stays one: it shows where it leads.
"""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

# Control characters, and those that turn the direction of what follows.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_MARKS = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"} | {mark: f"\\{mark}" for mark in "\\[]*|~$"}
)
_EMPHASIS = re.compile(r"(?<!\w)_+|_+(?!\w)")  # inside of a word it is a letter like any other
_FIRST = re.compile(r"(?:[-+](?=\s|$)|-(?=[-\s]*$)|=(?==*$)|#(?=#{0,5}(?:\s|$)))")  # list, line, heading
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")


def as_text(value: object) -> str:
    """A value as one line of text, anywhere in a card: in a paragraph, a heading, a list or a cell of a table."""
    plain = _one_line(value).translate(_MARKS)
    plain = _EMPHASIS.sub(lambda found: found[0].replace("_", "\\_"), plain)
    if _FIRST.match(plain):
        return f"\\{plain}"
    return _NUMBERED.sub(r"\1\\\2", plain, count=1) if _NUMBERED.match(plain) else plain


def as_code(value: object) -> str:
    """A value for between two back-ticks, where nothing is markup but another back-tick."""
    return _one_line(value).replace("`", "'") or " "


def card_templates(folder: Path) -> Environment:
    """Templates of cards: what comes from data goes through the filter `cell`, between back-ticks through `code`.

    Markdown is not HTML: autoescape would spoil it.
    """
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": as_text, "code": as_code}
    return environment


def _one_line(value: object) -> str:
    return " ".join(_UNSEEN.sub(" ", str(value)).split())
