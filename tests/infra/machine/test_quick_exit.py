"""The end of a command: what is registered for it is done, what was printed arrives, the code is the one given."""

import os
import subprocess
import sys

from tests.conftest import ROOT

LEAVE = "from infra.machine.quick_exit import leave\nimport atexit, sys, threading, time\n"


def ended(program: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", LEAVE + program]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_what_is_registered_for_the_end_is_done_and_what_was_printed_arrives() -> None:
    done = ended("atexit.register(print, 'registered', end='')\nprint('said', end=' ')\nleave(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, "said registered", "")


def test_threads_are_waited_for() -> None:
    thread = "threading.Thread(target=lambda: (time.sleep(0.3), print('done'))).start()\nleave(0)"
    assert ended(thread).stdout == "done\n"


def test_who_ends_otherwise_ends_as_ever() -> None:
    assert ended("raise SystemExit(4)").returncode == 4
    failed = ended("raise ValueError('a fault')")
    assert failed.returncode == 1 and "a fault" in failed.stderr


def test_what_nobody_reads_any_more_is_said_by_the_code() -> None:
    program = "import os\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\nprint('lost')\nleave(0)"
    assert ended(program).returncode == 120
