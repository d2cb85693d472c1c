"""Functions as Python reads them, in a process of its own: a text that ends it is one that is no function."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Self

WORKER = Path(__file__).with_name("function_worker.py")


class Function(NamedTuple):
    """A function from column 0: `prompt` is its signature and docstring, `body` what goes after it."""

    prompt: str
    body: str


class Judged(NamedTuple):
    """A completed function: whether it is Python, with a body of two statements or a call; `body` is a digest of that."""

    syntax: bool
    real: bool
    body: str


class Reader:
    """A child that reads one text after the other, each within `seconds` of CPU time; one that died is started anew."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def functions(self, text: str, characters: int) -> list[Function]:
        """Functions with a docstring and a real body, whose prompt has at most `characters`; none in what does not parse."""
        return [Function(*found) for found in self._ask([text, characters]) or ()]

    def judge(self, text: str) -> Judged:
        """What a function is, prompt and completion together."""
        return Judged(**(self._ask([text]) or {"syntax": False, "real": False, "body": ""}))

    def _ask(self, asked: list[str | int]) -> Any:
        """The child's answer; None when it died of the text."""
        child = self._child = self._child or _start(self._seconds)
        content = json.dumps(asked).encode()
        answer = _exchange(child, len(content).to_bytes(4, "big") + content)
        if answer is None:
            self._end()
        return answer

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()  # Waits, and closes the pipes.
            self._child = None


def _start(seconds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(WORKER), str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _exchange(child: subprocess.Popen[bytes], message: bytes) -> Any:
    if child.stdin is None or child.stdout is None:
        return None
    try:
        child.stdin.write(message)
        child.stdin.flush()
    except BrokenPipeError:
        return None
    head = child.stdout.read(4)
    length = int.from_bytes(head, "big")
    answer = child.stdout.read(length)
    return json.loads(answer) if len(head) == 4 and len(answer) == length else None
