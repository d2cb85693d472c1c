"""Whether texts are Python, found out in a process of its own: a text that ends it is one that does not parse."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

WORKER = Path(__file__).with_name("parse_worker.py")
Parsed = Literal["clean", "warned", "refused"]
ANSWERS: dict[bytes, Parsed] = {b"y": "clean", b"w": "warned", b"n": "refused", b"": "refused"}


def parsed(texts: Iterable[str], seconds: int) -> Iterator[Parsed]:
    """Whether each text is a module of this Python's grammar, within `seconds` of CPU time for one, and without a warning."""
    child: subprocess.Popen[bytes] | None = None
    try:
        for text in texts:
            child = child if child is not None else _start(seconds)
            answer = _ask(child, text.encode("utf-8"))
            if not answer:
                _end(child)
                child = None
            yield ANSWERS[answer]
    finally:
        if child is not None:
            _end(child)


def _start(seconds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", str(WORKER), str(seconds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _ask(child: subprocess.Popen[bytes], text: bytes) -> bytes:
    """The child's answer; nothing when it died of the text."""
    if child.stdin is None or child.stdout is None:
        return b""
    try:
        child.stdin.write(len(text).to_bytes(4, "big") + text)
        child.stdin.flush()
    except BrokenPipeError:
        return b""
    return child.stdout.read(1)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()  # Waits, and closes the pipes.
