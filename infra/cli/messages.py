"""What a person at the terminal reads when something is wrong: one message with the remedy, never a stack trace."""

import io
import sys
from types import TracebackType

from rich.console import Console
from rich.text import Text

from infra.errors import StillhouseError


def show(error: StillhouseError) -> int:
    """Print an error of ours, its words as they are; returns the exit code."""
    _print(Text.assemble((type(error).__name__, "bold red"), f": {error}"))
    return error.exit_code


def complain(message: str) -> None:
    """Print that something cannot be done, and why."""
    _print(Text.assemble(("error:", "red"), f" {message}"))


def warn(message: str) -> None:
    """Print what is odd and does not stop anything."""
    _print(Text.assemble(("warning:", "yellow"), f" {message}"))


def say_aside(line: str) -> None:
    """Print a line to stderr, where stdout is read by a program."""
    _print(Text(line))


def show_uncaught() -> None:
    """From here on an error of ours that nobody catches is a message, as is one of a setting that is read at import."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
        if not isinstance(error, StillhouseError):
            before(kind, error, frames)
            return
        raise SystemExit(show(error))

    sys.excepthook = hook


def print_anything() -> None:
    """What the terminal's character set has no sign for is printed as an escape (PYTHONIOENCODING=ascii)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print(text: Text) -> None:
    Console(stderr=True, highlight=False).print(text, soft_wrap=True)
