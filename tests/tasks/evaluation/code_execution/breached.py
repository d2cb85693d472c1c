"""A sandbox with one of its defences taken out: what an attack is run in a second time, so that it is seen to work."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.confined import Confined
from tasks.evaluation.code_execution.judge import Remote
from tasks.evaluation.code_execution.limits import Limits
from tasks.evaluation.code_execution.sandbox import Sandbox
from tasks.evaluation.code_execution.system_calls import DENIED, seccomp_filter
from tasks.evaluation.code_execution.trial import CANDIDATE

Words = list[str]
NAMESPACES = ("user", "ipc", "pid", "net", "uts", "cgroup")
OUTER_SECONDS = 20.0  # what is undefended ends then, too


def as_it_is(words: Words) -> Words:
    return words


def sharing(*shared: str) -> Callable[[Words], Words]:
    """All namespaces but these."""
    kept = [f"--unshare-{name}" for name in NAMESPACES if name not in shared]

    def change(words: Words) -> Words:
        words = [word for word in words if word not in ("--unshare-all", "--unshare-user")]
        if "uts" in shared:
            place = words.index("--hostname")
            words = words[:place] + words[place + 2 :]
        return kept + words

    return change


def without(*dropped: str) -> Callable[[Words], Words]:
    """Without these words, which stand beside each other."""

    def change(words: Words) -> Words:
        place = next(n for n in range(len(words)) if tuple(words[n : n + len(dropped)]) == dropped)
        return words[:place] + words[place + len(dropped) :]

    return change


def adding(*added: str) -> Callable[[Words], Words]:
    """With these words, before the root is made read-only."""

    def change(words: Words) -> Words:
        place = words.index("--remount-ro")
        return [*words[:place], *added, *words[place:]]

    return change


@dataclass(frozen=True)
class Breach:
    """What is not as it should be; by default nothing. Each part is a defence, or what uncovers one behind another."""

    walls: tuple[Callable[[Words], Words], ...] = ()
    allowed: tuple[str, ...] = ()  # system calls; "*": all
    limits: Mapping[str, int] = field(default_factory=dict)
    sources: tuple[tuple[str, str], ...] = ()  # text inside, and what stands in its place
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()

    def __add__(self, other: "Breach") -> "Breach":
        return Breach(
            self.walls + other.walls,
            self.allowed + other.allowed,
            {**self.limits, **other.limits},
            self.sources + other.sources,
            {**self.environment, **other.environment},
            self.descriptors + other.descriptors,
        )


class Breached(Sandbox):
    """Stillhouse's own sandbox in all but its breach."""

    def __init__(self, config: ExecutionConfig, breach: Breach) -> None:
        super().__init__(config)
        self.breach = breach
        self.environment = breach.environment
        self._filter = seccomp_filter(
            {} if "*" in breach.allowed else {k: v for k, v in DENIED.items() if k not in breach.allowed}
        )

    def _greeted(self) -> tuple[str, str]:
        return "greeted by the one that is whole", ""

    def walls(self) -> Words:
        words = super().walls()
        for change in self.breach.walls:
            words = change(words)
        return words

    def limits(self) -> Limits:
        return Limits(**{**super().limits(), **self.breach.limits})  # type: ignore[typeddict-item]

    def sources(self, modules: Sequence[str]) -> list[tuple[str, str]]:
        found = []
        for name, text in super().sources(modules):
            for old, new in self.breach.sources:
                text = text.replace(old, new)
            found.append((name, text))
        return found

    def start(
        self,
        number: int,
        modules: Sequence[str],
        arguments: Sequence[str],
        stdin: int | IO[bytes],
        stdout: int | IO[bytes],
        pass_fds: Sequence[int] = (),
    ) -> Confined:
        fds = [*pass_fds, *self.breach.descriptors]
        return super().start(number, modules, arguments, stdin, stdout, fds)


@contextmanager
def asked(sandbox: Sandbox, place: int = 0) -> Iterator[tuple[Remote, Confined]]:
    """Generated code in a sandbox, asked by this process; ended after OUTER_SECONDS whatever it does."""
    with ExitStack() as stack:
        requests_out, requests_in = os.pipe()
        answers_out, answers_in = os.pipe()
        candidate = sandbox.start(place, CANDIDATE, [json.dumps(sandbox.limits())], requests_out, answers_in)
        for end in (requests_out, answers_in):
            os.close(end)
        for end in (requests_in, answers_out):
            stack.callback(os.close, end)
        stack.callback(candidate.end)
        outer = threading.Timer(OUTER_SECONDS, candidate.process.kill)
        outer.start()
        stack.callback(outer.cancel)
        remote = Remote(requests_in, answers_out)
        try:
            remote.wait_until_ready()
        except EOFError:
            assert candidate.process.stderr is not None
            raise AssertionError(candidate.process.stderr.read().decode()) from None
        yield remote, candidate


def answer_of(sandbox: Sandbox, program: str, place: int = 0) -> Any:
    """What the program's `attack()` returns; its error's text when it does not."""
    with asked(sandbox, place) as (remote, _):
        try:
            remote.load(program, "attack")
            return remote()
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
