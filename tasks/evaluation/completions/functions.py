"""Functions as Python reads them, in a process of its own: a text that ends it is one that is no function."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Self

from tasks.processes.reader import ChildReader

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
    """Reads functions by such a child, each text within `seconds` of CPU time. A context."""

    def __init__(self, seconds: int) -> None:
        self._child = ChildReader(WORKER, seconds)

    def __enter__(self) -> Self:
        self._child.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._child.__exit__(*raised)

    def functions(self, text: str, characters: int) -> list[Function]:
        """Functions with a docstring and a real body, whose prompt has at most `characters`; none in what does not parse."""
        return [Function(*found) for found in self._ask([text, characters]) or ()]

    def judge(self, text: str) -> Judged:
        """What a function is, prompt and completion together."""
        return Judged(**(self._ask([text]) or {"syntax": False, "real": False, "body": ""}))

    def _ask(self, asked: list[str | int]) -> Any:
        """The child's answer; None when it died of the text."""
        answer = self._child.ask(json.dumps(asked).encode())
        return None if answer is None else json.loads(answer)
