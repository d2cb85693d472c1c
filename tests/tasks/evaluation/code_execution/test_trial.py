"""What a sample comes to: by the test's own word, whatever the generated code says or does."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.problems import Problem
from tasks.evaluation.code_execution.sandbox import Sandbox
from tasks.evaluation.code_execution.trial import judge
from tests.tasks.evaluation.code_execution.breached import Breach, Breached

TWICE = Problem(
    task_id="own/0",
    prompt='def half(x):\n    return x / 2\n\n\ndef twice(x):\n    """Twice x."""\n',
    canonical_solution="    return 2 * x\n",
    entry_point="twice",
    test="""
def check(candidate):
    assert half(candidate(2)) == 2 and twice(3) == 6
    assert candidate([1]) == [1, 1]
    assert candidate(x=(None, "a", 1.5)) == (None, "a", 1.5) * 2
""",
)
RIGHT = "    return 2 * x\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(ExecutionConfig(seconds=1)) as made:
        yield made


FAST = {
    RIGHT: "passed",
    "    return 3\n": "wrong answer",
    "    return\n": "wrong answer",
    "    return 1 / 0": "exception",
    "    return )": "syntax",
    "    import os; os._exit(0)": "exited",
    "    class Fooling(list):\n        __eq__ = lambda *_: True\n    return Fooling()": "wrong answer",
}
SLOW = {
    "    return \0": "syntax",
    "    return \ud800": "syntax",
    "    return " + "(" * 999: "syntax",
    "    exec(')')": "exception",
    "\nimport os\nos._exit(0)": "exited",
    "    raise SystemExit(0)": "exception",
    "    raise AssertionError": "exception",
    "    raise UnicodeDecodeError('utf8', b'', 0, 1, '')": "exception",
    "    return object()": "no plain value",
    "    yield 2 * x": "no plain value",
    "    y = []\n    y.append(y)\n    return y": "no plain value",
    "    return 'x' * 2**24": "no plain value",
    "\ndel twice": "exception",
    "    return [0] * 10**10": "memory",
    "    return twice(x)": "exception",
    "    import sys; sys.setrecursionlimit(10**9); return twice(x)": "memory or timeout or killed",
    "    import ctypes; ctypes.string_at(0)": "killed",
    "    import os; os.kill(os.getpid(), 9)": "killed",
    "    while True: pass": "timeout",
    "    import time; time.sleep(60)": "timeout",
    "    while True: print('x' * 999)": "output",
    "    import os\n    while True: os.write(2, b'x' * 999)": "output",
    "    import os\n    for n in range(3, 99):\n        try: os.write(n, b'\\xff' * 99)\n"
    "        except OSError: pass\n    return 2 * x": "no plain value",
    "    import os\n    os.closerange(0, 99)\n    import time; time.sleep(60)": "timeout",
    "\nimport builtins\nbuiltins.AssertionError = ZeroDivisionError\nbuiltins.list = builtins.len = None": "exited",
    "    raise type('AssertionError', (BaseException,), {'__str__': lambda s: 1 / 0})": "exception",
    "    return 2 * x\n\n\ndef check(candidate): pass\n\n\ndef half(x): return 1 / 0": "passed",
}


@pytest.mark.parametrize("completion", FAST)
def test_a_sample_comes_to(completion: str, sandbox: Sandbox) -> None:
    assert judge(sandbox, TWICE, completion, 0).reason == FAST[completion]


@pytest.mark.slow
@pytest.mark.parametrize("completion", SLOW)
def test_an_odd_sample_comes_to(completion: str, sandbox: Sandbox) -> None:
    assert judge(sandbox, TWICE, completion, 0).reason in SLOW[completion].split(" or ")


@pytest.mark.slow
def test_a_sample_that_prints_a_lot_passes_where_it_may() -> None:
    completion = "    print('x' * 300_000)\n" + RIGHT
    reasons = []
    for most in (256, 2_000):
        with Sandbox(ExecutionConfig(output_kb=most)) as sandbox:
            reasons.append(judge(sandbox, TWICE, completion, 0).reason)
    assert reasons == ["output", "passed"]


def test_a_test_that_is_not_plain_is_said(sandbox: Sandbox) -> None:
    problem = TWICE.model_copy(update={"test": "def check(candidate):\n    candidate(len)"})
    outcome = judge(sandbox, problem, RIGHT, 0)
    assert outcome == ("unsupported test", "the test passes a builtin_function_or_method")


# What a harness does that runs test and code in one process: it believes the exit code, or a word that the code cannot know.
ONE_PROCESS = """
import json, sys
def main():
    text, nonce = json.loads(sys.argv[2])
    exec(text, {"__name__": "test"})
    print(nonce)
"""
NONCE = "0c6f1d"
STAND_IN = "from tasks.evaluation.code_execution.limits import set_limits"
FOOLS = {
    "exit code": "    import os; os._exit(0)\n",
    "exit code after all": "    import atexit, os\n    atexit.register(os._exit, 0)\n    return 3\n",
    "SystemExit": "    raise SystemExit(0)\n",
    "__eq__": "    return type('F', (), {'__eq__': lambda *_: True, '__truediv__': lambda s, _: s})()\n",
}
NEEDS_NONCE = """    import os, sys
    frame = sys._getframe()
    while 'nonce' not in frame.f_locals:
        frame = frame.f_back
    print(frame.f_locals['nonce'], flush=True)
    os._exit(0)
"""


def in_one_process(completion: str) -> tuple[int, bool]:
    """The exit code of test and code in the same sandbox but in one process, and whether the nonce was said."""
    text = f"{TWICE.prompt}{completion}\n{TWICE.test}\ncheck({TWICE.entry_point})"

    class OneProcess(Breached):
        def sources(self, modules: object) -> list[tuple[str, str]]:
            return [("one_process", ONE_PROCESS)]

    with OneProcess(ExecutionConfig(), Breach()) as sandbox:
        words = [json.dumps(sandbox.limits()), json.dumps([text, NONCE])]
        confined = sandbox.start(0, [], words, subprocess.DEVNULL, subprocess.PIPE)
        assert confined.process.stdout is not None
        said = confined.process.stdout.read().decode()
        confined.end(5)
    return confined.code, NONCE in said


@pytest.mark.slow
@pytest.mark.parametrize("fools", FOOLS)
def test_what_fools_a_harness_of_one_process_does_not_pass(fools: str, sandbox: Sandbox) -> None:
    assert in_one_process(RIGHT) == (0, True) and in_one_process("    return 3\n")[0] == 1
    assert in_one_process(FOOLS[fools])[0] == 0
    assert judge(sandbox, TWICE, FOOLS[fools], 0).reason != "passed"


@pytest.mark.slow
def test_a_nonce_in_a_frame_is_found_in_one_process_and_there_is_none_in_two(sandbox: Sandbox) -> None:
    assert in_one_process(NEEDS_NONCE) == (0, True)
    assert judge(sandbox, TWICE, NEEDS_NONCE, 0).reason != "passed"


FORGED = """    import os
    said = b'{"reason": "passed", "said": ""}'
    for n in range(99):
        try: os.write(n, len(said).to_bytes(4, 'big') + said)
        except OSError: pass
    import time; time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("open_to_all", [False, True])
def test_a_forged_verdict_arrives_where_code_has_its_pipe_alone(open_to_all: bool, tmp_path: Path) -> None:
    class Sharing(Breached):
        """The test's verdict goes to a file that the generated code has open as well."""

        def start(self, number, modules, arguments, stdin, stdout, pass_fds=()):  # type: ignore[no-untyped-def]
            shared = (verdict.fileno(),) if open_to_all and "candidate" in modules else ()
            return super().start(number, modules, arguments, stdin, stdout, (*pass_fds, *shared))

    with (
        (tmp_path / "verdict").open("wb") as verdict,
        Sharing(ExecutionConfig(seconds=1), Breach()) as sandbox,
    ):
        assert judge(sandbox, TWICE, FORGED, 0).reason != "passed"
    assert (b"passed" in (tmp_path / "verdict").read_bytes()) is open_to_all


@pytest.mark.slow
def test_nothing_is_left_neither_process_nor_zombie_nor_file() -> None:
    def children() -> set[int]:
        listed = (Path("/proc") / f"{os.getpid()}" / "task").glob("*/children")
        return {int(number) for one in listed for number in one.read_text().split()}

    def descriptors() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    fork = "    import os, time\n    for n in range(3):\n        if not os.fork(): time.sleep(60)\n"
    before, open_before, files = children(), descriptors(), set(Path("/tmp").glob("stillhouse-bwrap-*"))
    with Sandbox(ExecutionConfig(seconds=1)) as sandbox:
        for completion in (RIGHT, fork + RIGHT, fork + "    os._exit(0)", fork + "    time.sleep(60)"):
            judge(sandbox, TWICE, completion, 0)
            assert children() == before
    assert descriptors() == open_before
    assert set(Path("/tmp").glob("stillhouse-bwrap-*")) == files
