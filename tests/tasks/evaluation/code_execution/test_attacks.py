"""Attacks of generated code on the machine, each twice: in the sandbox, and in the same sandbox without one defence.

The second run shows that the attack works, and so that the defence is what stops it. It has bounds of its own: counts and
sizes are small, and OUTER_SECONDS end it. An attack is a function that returns True when it has got what it wanted.
"""

import ctypes
import os
import select
import socket
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.sandbox import Sandbox
from tests.tasks.evaluation.code_execution.attacks import ATTACKS, TMP_MB, Attack
from tests.tasks.evaluation.code_execution.breached import (
    Breach,
    Breached,
    adding,
    answer_of,
    asked,
    sharing,
)

pytestmark = pytest.mark.slow
CONFIG = ExecutionConfig(seconds=2, memory_mb=192, processes=8, files_mb=TMP_MB, open_files=32)


@pytest.fixture(scope="module")
def whole() -> Iterator[Sandbox]:
    with Sandbox(CONFIG) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder open to all. (pytest closes those of its own again, whenever another suite starts.)"""
    with tempfile.TemporaryDirectory(prefix="stillhouse-loot-") as made:
        Path(made).chmod(0o777)
        yield Path(made)


@pytest.fixture(scope="module")
def loot(folder: Path, whole: Sandbox) -> Iterator[dict[str, object]]:
    """What there is to get: a file, a server, a socket, shared memory, a process of the same user."""
    secret = folder / "secret"
    secret.write_text("secret")
    libc, key = ctypes.CDLL(None), 0x5714
    memory = libc.shmget(key, 4096, 0o1666)
    abstract = f"\0stillhouse-{os.getpid()}"
    victim = subprocess.Popen([*whole.user(0), "/usr/bin/sleep", "100"])
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(abstract)
        local.listen()
        yield {
            "folder": f"{folder}", "secret": f"{secret}", "port": server.getsockname()[1], "abstract": abstract, "key": key,
            "victim": victim.pid, "pid": os.getpid(), "host": os.uname().nodename,
        }  # fmt: skip
    victim.kill()
    victim.wait()
    libc.shmctl(memory, 0, None)


def placed(breach: Breach, loot: dict[str, object]) -> Breach:
    """The breach with the folder's own name, and an open file in place of descriptor -1."""
    folder = str(loot["folder"])

    def named(change):  # type: ignore[no-untyped-def]
        return lambda words: [word.replace("{folder}", folder) for word in change(words)]

    opened = tuple(os.open(str(loot["secret"]), os.O_RDONLY) for _ in breach.descriptors)
    walls = tuple(named(change) for change in breach.walls)
    return Breach(walls, breach.allowed, breach.limits, breach.sources, breach.environment, opened)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_stopped_and_by_that_defence(attack: Attack, loot: dict[str, object]) -> None:
    program = "def attack():\n" + textwrap.indent(attack.body.format(**loot), "    ")
    compile(program, "attack", "exec")
    answers = {}
    for held, breach in (("held", attack.uncovered), ("open", attack.uncovered + attack.taken)):
        with Breached(CONFIG, placed(breach, loot)) as sandbox:
            answers[held] = answer_of(sandbox, program)
        for descriptor in sandbox.breach.descriptors:
            os.close(descriptor)
    assert answers["open"] is True, "the attack does not work where nothing is in its way"
    assert answers["held"] is not True


def test_there_are_thirty_of_them() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 30


@pytest.mark.parametrize("shared", [False, True])
def test_the_files_of_one_sample_are_not_another_ones(shared: bool, folder: Path) -> None:
    # /tmp of all in one place of the disk, and both the same user: what the sandbox of each prevents.
    breach = Breach((adding("--bind", f"{folder}", "/tmp"),)) if shared else Breach()
    with Breached(CONFIG, breach) as sandbox:
        assert (
            answer_of(sandbox, "def attack():\n    open('/tmp/mine', 'w').close()\n    return True") is True
        )
        found = answer_of(sandbox, "def attack():\n    open('/tmp/mine')\n    return True")
    assert (found is True) is shared


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes several users")
@pytest.mark.parametrize("shared", [False, True])
def test_two_samples_at_once_are_two_users(shared: bool, whole: Sandbox) -> None:
    victim = subprocess.Popen([*whole.user(0 if shared else 1), "/usr/bin/sleep", "100"])
    try:
        with Breached(CONFIG, Breach((sharing("pid"),))) as sandbox:
            found = answer_of(
                sandbox, f"import os\ndef attack():\n    os.kill({victim.pid}, 0)\n    return True"
            )
    finally:
        victim.kill()
        victim.wait()
    assert (found is True) is shared


DAEMON = """
import os, time
def attack():
    if not os.fork():
        os.setsid()
        if not os.fork():
            time.sleep(4)  # It has the pipe of the answers, whose end shows that it is gone.
        os._exit(0)
    return True
"""


@pytest.mark.parametrize("outlives", [False, True])
def test_a_daemon_ends_with_its_sample(outlives: bool) -> None:
    breach = Breach((sharing("pid"),)) if outlives else Breach()
    with Breached(CONFIG, breach) as sandbox, asked(sandbox) as (remote, confined):
        remote.load(DAEMON, "attack")
        assert remote() is True
        confined.end()
        ready, _, _ = select.select([remote.answers], [], [], 0.5)
        assert bool(ready) is not outlives
        time.sleep(4 if outlives else 0)
