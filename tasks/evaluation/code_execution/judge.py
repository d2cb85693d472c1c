"""The process that a problem's test runs in: no generated code ever does. (Runs inside the sandbox.)

The test calls `candidate` as ever. That is a stand-in which sends the arguments to the other sandbox, where the generated
code runs, and rebuilds the plain value that comes back. So the asserts are this process's own, comparisons are Python's own,
and its word, on a pipe that the other sandbox never had, is the verdict.
"""

import builtins
import json
import random
import sys
from typing import Any, NoReturn

from tasks.evaluation.code_execution.codec import NotPlain, decode, encode, receive, send
from tasks.evaluation.code_execution.limits import set_limits

SAID = 300
VERDICT = 1


class Over(BaseException):
    """The generated code can be asked no more. No `except Exception` of a test takes it for an answer."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(said)
        self.reason, self.said = reason, said


class Remote:
    """Generated code in the other sandbox, as a function."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests, self.answers = requests, answers
        self.raised: tuple[BaseException, str] | None = None  # what the code raised last, and the reason
        self.over: Over | None = None

    def wait_until_ready(self) -> None:
        """Nothing generated has run yet. Raises EOFError when the other sandbox did not start."""
        receive(self.answers)

    def load(self, program: str, entry_point: str) -> None:
        """Have the program run. Raises Over when it ends, fails, or has no such function."""
        answer = self._ask({"program": program, "entry_point": entry_point})
        if answer != {"loaded": True}:
            reason, _, said = self._failure(answer)
            self._end(reason, said)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the code returns, or an exception of the class that it raised where that is one of Python's own."""
        try:
            call = {"args": encode(args), "kwargs": encode(kwargs)}
        except NotPlain as error:
            self._end("unsupported test", f"the test passes {error}")
        answer = self._ask(call)
        if isinstance(answer, dict) and answer.keys() == {"value"}:
            try:
                return decode(answer["value"])
            except NotPlain as error:
                self._end("no plain value", str(error))
        reason, name, said = self._failure(answer)
        if reason == "no plain value":
            self._end(reason, said)
        self.raised = _error(name, said), reason
        raise self.raised[0]

    def _ask(self, message: Any) -> Any:
        if self.over is not None:  # A test that caught the end, and goes on.
            raise self.over
        try:
            send(self.requests, message)
            return receive(self.answers)
        except (EOFError, BrokenPipeError):
            self._end("ended", "the process of the generated code ended")
        except NotPlain as error:
            self._end("no plain value", str(error))

    def _failure(self, answer: Any) -> tuple[str, str, str]:
        match answer:
            case {"reason": str(reason), "class": str(name), "said": str(said)} if len(answer) == 3:
                known = reason in ("syntax", "memory", "exception", "no plain value")
                return reason if known else "exception", name, f"{name}: {said}"[:SAID]
        self._end("no plain value", "an answer that is none")

    def _end(self, reason: str, said: str) -> NoReturn:
        self.over = Over(reason, said)
        raise self.over


def _error(name: str, said: str) -> Exception:
    """Python's own exception of that name, where it is one and takes a message; else a RuntimeError."""
    kind = getattr(builtins, name, None)
    try:
        return kind(said) if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError(said)
    except TypeError:  # UnicodeDecodeError, ExceptionGroup
        return RuntimeError(said)


def judged(task: dict[str, str], candidate: Remote) -> tuple[str, str]:
    """The reason, "passed" or another, and a few words.

    The problem's own text (prompt and reference solution) runs here, because tests call helper functions of the prompt; its
    entry point is then the stand-in.
    """
    random.seed(0)  # Some tests draw their cases: the same for each sample.
    try:
        candidate.load(task["program"], task["entry_point"])
        names: dict[str, Any] = {"__name__": "test"}
        exec(compile(task["reference"], "<reference>", "exec", dont_inherit=True), names)
        names[task["entry_point"]] = candidate
        exec(compile(task["test"], "<test>", "exec", dont_inherit=True), names)
        names["check"](candidate)
    except Over as over:
        return over.reason, over.said
    except BaseException as error:
        if candidate.raised is not None and candidate.raised[0] is error:
            return candidate.raised[1], str(error)[:SAID]
        return "wrong answer", f"{type(error).__name__}: {error}"[:SAID]
    if candidate.over is not None:
        return candidate.over.reason, candidate.over.said
    return "passed", ""


def main() -> None:
    """Arguments: the limits, and the descriptors of the pipes to and from the generated code. Input: the task."""
    set_limits(json.loads(sys.argv[1]))
    task = json.loads(sys.stdin.buffer.read())
    candidate = Remote(int(sys.argv[2]), int(sys.argv[3]))
    candidate.wait_until_ready()
    send(VERDICT, {"ready": True})
    reason, said = judged(task, candidate)
    send(VERDICT, {"reason": reason, "said": said})


if __name__ == "__main__":
    main()
