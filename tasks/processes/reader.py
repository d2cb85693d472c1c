"""A child that reads one text after the other and answers each: a text that ends it is one that it has no answer to.

What is read is anybody's, and brings a parser down, or holds it for ever: then the child dies, and not its caller. It is a
script of the standard library alone, started without site packages. Protocol: four bytes of length, then the message, in both
directions; end of input ends it.
"""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

HEAD = 4


class ChildReader:
    """Runs `worker`, a script told the `seconds` of CPU time that a message has. A context; one that died is started anew."""

    def __init__(self, worker: Path, seconds: int) -> None:
        self._command = [sys.executable, "-I", "-S", str(worker), str(seconds)]
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._end()

    def ask(self, message: bytes) -> bytes | None:
        """The child's answer; None when it died of the message."""
        if self._child is None:
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        answer = _exchange(self._child, message)
        if answer is None:
            self._end()
        return answer

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()  # Waits, and closes the pipes.
            self._child = None


def _exchange(child: subprocess.Popen[bytes], message: bytes) -> bytes | None:
    if child.stdin is None or child.stdout is None:
        return None
    try:
        child.stdin.write(len(message).to_bytes(HEAD, "big") + message)
        child.stdin.flush()
    except BrokenPipeError:
        return None
    head = child.stdout.read(HEAD)
    length = int.from_bytes(head, "big")
    answer = child.stdout.read(length)
    return answer if len(head) == HEAD and len(answer) == length else None
