"""Processes that can do nothing but compute: Linux namespaces by bubblewrap, another user, limits, a filter of system calls.

bubblewrap is never started by root (uid 0 keeps what a namespace should take away): root first becomes a user that nothing
belongs to. Without all of this nothing is run.
"""

import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from infra.errors import SandboxError
from tasks.evaluation.code_execution import programs
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.hearing import listen
from tasks.evaluation.code_execution.limits import Limits
from tasks.evaluation.code_execution.system_calls import seccomp_filter

MB = 2**20
NOBODY = 65534  # the first of the numbers that root becomes, downwards; nothing should belong to them
PATIENCE = 5.0  # seconds in which a sandbox has ended that was killed, or whose Python ended
_HERE = Path(__file__).parent
_PACKAGE = __name__.rpartition(".")[0]
# Modules that run inside are given as text: the folder that they lie in may be closed to the user inside.
_BOOT = """
import sys, types
for name, text in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main()
"""


@dataclass
class Confined:
    """A sandbox that was started: bubblewrap's outer process, and the pipe on which it says who its inner one is."""

    process: subprocess.Popen[bytes]
    information: int
    limits: Limits
    cpu_seconds: float = 0.0  # of all its processes, once it has ended
    code: int = 0  # its exit code then: 128 and the signal's number where a signal ended what ran in it

    def end(self, grace: float = 0.0) -> None:
        """Kill what still runs and wait for it: afterwards there is neither a process nor a zombie of it.

        With a grace in seconds it may end by itself first, so that its exit code is its own. Called again, nothing.
        """
        if self.process.returncode is not None:
            return
        with ExitStack() as stack:
            stack.callback(os.close, self.information)
            for pipe in (self.process.stdout, self.process.stderr):
                if pipe is not None:
                    stack.enter_context(pipe)
            outer = os.pidfd_open(self.process.pid)
            stack.callback(os.close, outer)
            if not _ended(outer, grace):
                self._kill_inner()
            if not _ended(outer, PATIENCE):
                self.process.kill()  # With bubblewrap's outer process its inner one ends (--die-with-parent).
            _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = self.code = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = used.ru_utime + used.ru_stime

    def _kill_inner(self) -> None:
        """Kill the first process of the namespace, with which the kernel kills all others: its parent then reaps it.

        By descriptor: the number, once its process has ended, may be anybody's.
        """
        try:
            inner = json.loads(_read_all(self.information))["child-pid"]
            with ExitStack() as stack, suppress(ProcessLookupError, psutil.NoSuchProcess):
                descriptor = os.pidfd_open(inner)
                stack.callback(os.close, descriptor)
                if psutil.Process(inner).ppid() == self.process.pid:
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except (ValueError, KeyError):  # It has not come so far as to have one.
            self.process.kill()


class Sandbox:
    """Starts confined Pythons. A context: what it puts on the disk, root's copy of bubblewrap, goes at the end.

    Raises SandboxError at once where code cannot be held.
    """

    def __init__(self, config: ExecutionConfig) -> None:
        self.config = config
        self._stack = ExitStack()
        self._root = programs.is_root()
        self._setpriv = programs.find_setpriv() if self._root else None
        self.python, self._prefix = programs.find_python(everybody=self._root)
        self._bubblewrap = programs.find_bubblewrap()
        self._filter = seccomp_filter()

    def __enter__(self) -> Self:
        if self._root and not programs.open_to_all(self._bubblewrap):
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="stillhouse-bwrap-")))
            self._bubblewrap = programs.copy_for_all(self._bubblewrap, folder)
        try:
            self.version = self._prove()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self._stack.close()

    def limits(self) -> Limits:
        """What each process inside sets for itself before it runs anything of others."""
        return Limits(
            cpu_seconds=self.config.seconds,
            memory_bytes=self.config.memory_mb * MB,
            processes=self.config.processes,
            file_bytes=self.config.files_mb * MB,
            open_files=self.config.open_files,
        )

    def user(self, number: int) -> list[str]:
        """The words that make of root the nth nobody: no groups, no capabilities, none to be had. For others, none."""
        if self._setpriv is None:
            return []
        uid = f"{NOBODY - number}"
        return [
            f"{self._setpriv}", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "--",
        ]  # fmt: skip

    def walls(self) -> list[str]:
        """bubblewrap's options: what there is inside. All else is not there."""
        words = [
            "--unshare-all", "--unshare-user", "--disable-userns", "--clearenv", "--die-with-parent", "--new-session",
            "--uid", f"{NOBODY}", "--gid", f"{NOBODY}", "--hostname", "sandbox", "--ro-bind", "/usr", "/usr",
        ]  # fmt: skip
        for path in map(Path, ("/lib", "/lib32", "/lib64")):
            if path.is_symlink():
                words += ["--symlink", f"{path.readlink()}", f"{path}"]
            elif path.is_dir():
                words += ["--ro-bind", f"{path}", f"{path}"]
        if not self._prefix.is_relative_to("/usr"):
            words += ["--ro-bind", f"{self._prefix}", f"{self._prefix}"]
        # The linker's list of libraries, for a libpython in /usr/local. No /proc: nothing that computes needs it.
        words += [
            "--ro-bind-try",
            "/etc/ld.so.cache",
            "/etc/ld.so.cache",
            "--dev-bind",
            "/dev/null",
            "/dev/null",
        ]
        words += [
            "--size",
            f"{self.config.files_mb * MB}",
            "--tmpfs",
            "/tmp",
            "--chdir",
            "/tmp",
            "--remount-ro",
            "/",
        ]
        return [*words, "--setenv", "PYTHONHASHSEED", "0"]  # The order of a set is the same each time.

    def start(
        self,
        number: int,
        modules: Sequence[str],
        arguments: Sequence[str],
        stdin: int | IO[bytes],
        stdout: int | IO[bytes],
        pass_fds: Sequence[int] = (),
    ) -> Confined:
        """Start Python as the nth user, on modules of this folder, of which the last one's `main` runs.

        Its environment is empty; of descriptors it has the three standard ones (errors: a pipe) and `pass_fds`.
        """
        sources = [(f"{_PACKAGE}.{name}", (_HERE / f"{name}.py").read_text()) for name in modules]
        with ExitStack() as stack:
            filter_out, filter_in = os.pipe()
            stack.callback(os.close, filter_out)
            os.write(filter_in, self._filter)
            os.close(filter_in)
            information, informs = os.pipe()
            stack.callback(os.close, informs)
            unstarted = stack.enter_context(ExitStack())
            unstarted.callback(os.close, information)
            words = [
                *self.user(number), f"{self._bubblewrap}", *self.walls(), "--seccomp", f"{filter_out}",
                "--info-fd", f"{informs}", "--", f"{self.python}", "-s", "-S", "-B", "-P", "-c",
                _BOOT.format(sources=sources), *arguments,
            ]  # fmt: skip
            process = subprocess.Popen(
                words,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=[filter_out, informs, *pass_fds],
            )
            unstarted.pop_all()
        return Confined(process, information, self.limits())

    def _prove(self) -> str:
        """Run a Python that says its version; raises SandboxError when it cannot be held here."""
        confined = self.start(0, ["greeting"], [], subprocess.DEVNULL, subprocess.PIPE)
        try:
            heard = listen({"said": confined.process.stdout, "errors": confined.process.stderr}, "said", MB)
        finally:
            confined.end()
        said, complaint = heard.data["said"], heard.data["errors"]
        if not said:
            raise SandboxError(
                f"generated code is not run without a sandbox, and bubblewrap makes none here: "
                f"{complaint.decode(errors='replace').strip() or f'it ended with code {confined.code}'}. Expected Linux with "
                "namespaces for users (sysctl user.max_user_namespaces above 0; of AppArmor, "
                "kernel.apparmor_restrict_unprivileged_userns=0; of Docker, --security-opt seccomp=unconfined)."
            )
        return said.decode()


def _ended(descriptor: int, seconds: float) -> bool:
    """Whether a process has ended, or does in this time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _read_all(pipe: int) -> bytes:
    found = b""
    while part := os.read(pipe, 4096):
        found += part
    return found
