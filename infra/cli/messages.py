"""What a person at the terminal reads when something is wrong: one message with the remedy, never a stack trace."""

import io
import sys
from types import TracebackType

from infra.errors import StillhouseError
from infra.machine.terminal import Terminal, one_line, stack_trace

terminal = Terminal(stderr=True)


def show(error: StillhouseError) -> int:
    """Print an error of ours, its words as they are; returns the exit code."""
    _print(f": {error}", type(error).__name__, "bold red")
    return error.exit_code


def complain(message: str) -> None:
    """Print that something cannot be done, and why."""
    _print(f" {message}", "error:", "red")


def warn(message: str) -> None:
    """Print what is odd and does not stop anything."""
    _print(f" {message}", "warning:", "yellow")


def say_aside(line: str) -> None:
    """Print a line to stderr, where stdout is read by a program."""
    _print(line)


def show_uncaught() -> None:
    """From here on an error of ours that nobody catches is a message, as is one of a setting that is read at import."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
        if not isinstance(error, StillhouseError):
            if before is sys.__excepthook__:
                terminal.print(stack_trace(kind, error, frames))
            else:  # A debugger's.
                before(kind, error, frames)
            return
        raise SystemExit(show(error))

    sys.excepthook = hook


def print_anything() -> None:
    """What the terminal's character set has no sign for is printed as an escape (PYTHONIOENCODING=ascii)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print(said: str, mark: str = "", style: str = "") -> None:
    """A message may have several lines. The later ones are indented: a line break in a name begins no message."""
    first, *others = said.rstrip("\n").split("\n")
    terminal.print(one_line((mark, style), first))
    for other in others:
        terminal.print(one_line(other if other[:1].isspace() else f"  {other}"))
