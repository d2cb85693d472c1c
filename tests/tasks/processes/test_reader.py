"""A child that reads: it answers, it may die of a message, and it is gone at the end."""

import os
from pathlib import Path

import pytest

from tasks.processes.reader import ChildReader

ECHO = """
import os, sys
while head := sys.stdin.buffer.read(4):
    message = sys.stdin.buffer.read(int.from_bytes(head, "big"))
    if message == b"die":
        sys.exit(1)
    if message == b"die within":
        sys.stdout.buffer.write((99).to_bytes(4, "big") + b"half")
        sys.stdout.buffer.flush()
        os._exit(1)
    answer = str(os.getpid()).encode() if message == b"who" else message + sys.argv[1].encode()
    sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    path = tmp_path / "echo.py"
    path.write_text(ECHO)
    return path


def test_messages_are_answered_one_by_one_by_one_child(worker: Path) -> None:
    with ChildReader(worker, 7) as child:
        assert [child.ask(message) for message in (b"", b"a" * 100_000, b"\x00\n")] == [
            b"7",
            b"a" * 100_000 + b"7",
            b"\x00\n7",
        ]
        assert child.ask(b"who") == child.ask(b"who")


@pytest.mark.parametrize("message", [b"die", b"die within"])
def test_a_message_that_ends_the_child_has_no_answer_and_the_next_has_one(
    worker: Path, message: bytes
) -> None:
    with ChildReader(worker, 7) as child:
        assert child.ask(message) is None
        assert child.ask(b"still here ") == b"still here 7"


def test_the_child_goes_with_the_block(worker: Path) -> None:
    with ChildReader(worker, 7) as child:
        number = int(child.ask(b"who") or b"0")
        os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
