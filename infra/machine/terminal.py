"""What goes to the terminal and into logs: text, never markup, and no character that could steer a terminal.

Names of files, columns, tables and records, and what stands in a store, come from others. A control sequence in one could
set the terminal's title, hide a line, or draw a link; a bidirectional override shows another name than the file's.
"""

import logging
import re
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# C0 with DEL, C1, what turns the direction of writing, the two separators that break lines, and half characters (a file
# name that is not UTF-8), which no encoder takes.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
Part = str | tuple[str, str]


def visible(text: str, lines: bool = False) -> str:
    r"""The text with control characters as `\x1b`, `\n`, `\u202e`. With `lines`, its line breaks stay."""
    return _STEERING.sub(
        lambda found: (
            "\n" if lines and found[0] == "\n" else found[0].encode("unicode_escape").decode("ascii")
        ),
        text,
    )


def one_line(*parts: Part) -> Text:
    """One line out of texts and (text, style) pairs. A line break in one of them is shown, like any control character."""
    return Text.assemble(
        *(visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts)
    )


class Terminal(Console):
    """The one way to print. Strings are text: no markup, no emoji codes, no highlighting; nothing in them steers.

    Lines are not broken to the terminal's width unless `soft_wrap` is False, as tables and trees want it.
    """

    def __init__(self, stderr: bool = False, soft_wrap: bool = True, width: int | None = None) -> None:
        super().__init__(
            stderr=stderr, soft_wrap=soft_wrap, width=width, markup=False, emoji=False, highlight=False
        )

    def render_str(self, text: str, **how: Any) -> Text:
        """A string as text, before rich drops some of its control characters: line breaks in it are the caller's own."""
        return super().render_str(visible(text, lines=True), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Whatever is printed passes here, tables and trees too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)


class _VisibleRecord(logging.LogRecord):
    """A line of a log whose message, and stack trace, are as they may be shown."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = stack_trace(*self.exc_info)

    def getMessage(self) -> str:  # logging's own name
        return visible(super().getMessage(), lines=True)


def log_visibly() -> None:
    """From here on, logs (Prefect's too, which its own commands print) hold no control character but line breaks."""
    logging.setLogRecordFactory(_VisibleRecord)


def stack_trace(kind: type[BaseException], error: BaseException | None, frames: TracebackType | None) -> str:
    """A stack trace as Python prints it; the words of the error may be anybody's."""
    return visible("".join(traceback.format_exception(kind, error, frames)).rstrip("\n"), lines=True)
