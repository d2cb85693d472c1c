"""Whether texts are Python, found out in a process of its own: a text that ends it is one that does not parse."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from tasks.processes.reader import ChildReader

WORKER = Path(__file__).with_name("parse_worker.py")
Parsed = Literal["clean", "warned", "refused"]
ANSWERS: dict[bytes | None, Parsed] = {b"y": "clean", b"w": "warned", b"n": "refused", None: "refused"}


def parsed(texts: Iterable[str], seconds: int) -> Iterator[Parsed]:
    """Whether each text is a module of this Python's grammar, within `seconds` of CPU time for one, and without a warning."""
    with ChildReader(WORKER, seconds) as child:
        for text in texts:
            yield ANSWERS[child.ask(text.encode("utf-8"))]
