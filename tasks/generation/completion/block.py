"""Where the block that a prompt opened ends, in text that goes on after it.

Lines are told apart by the lexical rules of Python (its reference, section 2.1), loosely: the text is cut anywhere and is often
wrong, where the standard library's tokenizer raises, in each version of Python at another place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

TAB = 8  # columns, as Python counts them
PIECE = re.compile(
    r"""
    (?P<string> \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\\?\Z) | '''(?:\\.|[^\\])*?(?:'''|\\?\Z)
              | "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'? )
  | (?P<comment> \#[^\n]* )
  | (?P<open> [(\[{] ) | (?P<close> [)\]}] )
  | (?P<blank> [^\S\n]+ | \\\n )
  | (?P<newline> \n )
  | (?P<code> [^\s\#"'()\[\]{}\\]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Line(NamedTuple):
    """A logical line, or a line that is a comment alone: `begin` and `end` of what is written on it, in characters; `indent`
    in columns; `opens` for one that a block follows."""

    begin: int
    end: int
    indent: int
    opens: bool
    comment: bool = False


def logical_lines(text: str) -> Iterator[Line]:
    """Lines as Python reads them: brackets and strings go over several. Blank ones are none."""
    begin = end = depth = 0
    written = opens = False
    for piece in PIECE.finditer(text):
        kind = piece.lastgroup
        if kind == "newline":
            if written and depth == 0:
                yield Line(begin, end, _indent(text, begin), opens)
                written = False
        elif kind == "comment" and not written:
            yield Line(piece.start(), piece.end(), _indent(text, piece.start()), opens=False, comment=True)
        elif kind == "comment":
            end = piece.end()
        elif kind != "blank":
            begin = begin if written else piece.start()
            depth = max(0, depth + (kind == "open") - (kind == "close"))
            end, written = piece.end(), True
            opens = kind == "code" and depth == 0 and piece[0].endswith(":")
    if written:
        yield Line(begin, end, _indent(text, begin), opens)


def end_of_block(text: str, prompt: int) -> int | None:
    """Where the innermost block that is open after the first `prompt` characters ends, in characters of `text`.

    It ends before the first line indented less than its body; comments and blank lines do not end it, nor does what a string
    or a bracket holds. Comments after its last line are the block's where they are indented like it. None while it goes on, and
    where the prompt opened no block.
    """
    blocks: list[_Block] = []  # the open ones, the outermost first
    end = prompt
    for line in logical_lines(text):
        if line.begin < prompt:
            if not line.comment:
                blocks = [block for block in blocks if block.header < line.indent]
                _enter(blocks, line)
                end = max(end, line.end)
                if line.opens:
                    blocks.append(_Block(line.indent))
            continue
        if not blocks:
            return None
        block = blocks[-1]
        least = block.header + 1 if block.body is None else block.body
        if line.indent >= least:
            end = line.end
            if not line.comment:
                _enter(blocks, line)
        elif not line.comment:
            return end
    return None


@dataclass
class _Block:
    """Columns of the line that opened it, and of its first line once there is one."""

    header: int
    body: int | None = None


def _enter(blocks: list[_Block], line: Line) -> None:
    if blocks and blocks[-1].body is None:
        blocks[-1].body = line.indent


def _indent(text: str, place: int) -> int:
    written = text[text.rfind("\n", 0, place) + 1 : place]
    return len(written.expandtabs(TAB)) if not written.strip() else 0
