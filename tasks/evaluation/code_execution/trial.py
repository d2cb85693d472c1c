"""One sample judged: two sandboxes, the test in one and the generated code in the other, and a verdict of the first."""

import json
import os
import subprocess
import tempfile
from contextlib import ExitStack
from typing import Any, NamedTuple

from infra.errors import SandboxError
from tasks.evaluation.code_execution.codec import parse
from tasks.evaluation.code_execution.confined import PATIENCE, Confined
from tasks.evaluation.code_execution.hearing import Heard, listen
from tasks.evaluation.code_execution.problems import Problem
from tasks.evaluation.code_execution.sandbox import Sandbox

CANDIDATE = ("codec", "limits", "candidate")
JUDGE = ("codec", "limits", "judge")
PASSED = "passed"
ENDED = "ended"  # the judge's word for a process of which only its parent knows how
KB = 1024
SIGNALLED = 128  # a shell's, and bubblewrap's, code for a signal is this and its number
HALF = 0.5  # of the limit: the kernel counts CPU time by its ticks, which a busy machine makes coarse
CLOCK = 3.0  # seconds by the clock for one of the CPU


class Outcome(NamedTuple):
    """Why a sample passed or did not, and a few words of the error (generated code may have written them)."""

    reason: str
    said: str = ""


def judge(sandbox: Sandbox, problem: Problem, completion: str, place: int) -> Outcome:
    """Run a problem's test against its prompt with this completion. `place`: of the samples that run at once, from 0.

    Raises SandboxError when a sandbox does not start; nothing generated has run then.
    """
    limits = json.dumps(sandbox.limits())
    task = {
        "program": problem.prompt + completion + "\n",
        "reference": problem.prompt + problem.canonical_solution,
        "test": problem.test,
        "entry_point": problem.entry_point,
    }
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        file.write(json.dumps(task).encode())
        file.seek(0)
        ours = stack.enter_context(
            ExitStack()
        )  # The ends that the two sandboxes have, closed here once they are started.
        requests_out, requests_in = _pipe(ours)
        answers_out, answers_in = _pipe(ours)
        candidate = sandbox.start(2 * place, CANDIDATE, [limits], requests_out, answers_in)
        ended = stack.enter_context(ExitStack())
        ended.callback(candidate.end)
        words = [limits, f"{requests_in}", f"{answers_out}"]
        tester = sandbox.start(2 * place + 1, JUDGE, words, file, subprocess.PIPE, (requests_in, answers_out))
        ended.callback(tester.end)
        ours.close()
        pipes = {
            "verdict": tester.process.stdout,
            "test": tester.process.stderr,
            "output": candidate.process.stderr,
        }
        heard = listen(pipes, "verdict", sandbox.config.output_kb * KB, CLOCK * sandbox.config.seconds)
        messages: list[Any] = parse(heard.data["verdict"])
        if heard.stopped is None:
            tester.end(PATIENCE)
            if len(messages) == 2 and messages[1]["reason"] == ENDED:
                candidate.end(PATIENCE)
        ended.close()
    return _outcome(heard, messages, candidate, tester)


def _pipe(stack: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends


def _outcome(heard: Heard, messages: list[Any], candidate: Confined, tester: Confined) -> Outcome:
    if not messages:
        complaint = (heard.data["output"] + heard.data["test"]).decode(errors="replace").strip()
        raise SandboxError(
            f"a sandbox did not start, though one did before: {complaint or 'it said nothing'}. Expected room for two more "
            "processes and pipes. Look at what else runs on this machine, and give --jobs fewer."
        )
    if heard.stopped == "time":
        return Outcome("timeout", "too long by the clock")
    if heard.stopped == "output":
        return Outcome("output", "it printed more than it may")
    if len(messages) == 1:  # The test's own process ended: over a value that the code returned.
        return _ended(tester, "the test")
    verdict = messages[1]
    if verdict["reason"] == ENDED:
        return _ended(candidate, "it")
    return Outcome(verdict["reason"], verdict["said"])


def _ended(confined: Confined, who: str) -> Outcome:
    if confined.cpu_seconds > HALF * confined.limits["cpu_seconds"]:
        return Outcome("timeout", f"{who} used its CPU seconds up")
    if confined.code > SIGNALLED or confined.code < 0:
        number = confined.code - SIGNALLED if confined.code > 0 else -confined.code
        return Outcome("killed", f"{who} was ended by signal {number}")
    return Outcome("exited", f"{who} ended with code {confined.code}")
