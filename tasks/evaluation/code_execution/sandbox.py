"""Processes that can do nothing but compute: Linux namespaces by bubblewrap, another user, limits, a filter of system calls.

bubblewrap is never started by root (uid 0 keeps what a namespace should take away): root first becomes a user that nothing
belongs to. Without all of this nothing is run.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Self

from infra.errors import SandboxError
from tasks.evaluation.code_execution import programs
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.confined import PATIENCE, Confined, inner_process, subreaper
from tasks.evaluation.code_execution.hearing import listen
from tasks.evaluation.code_execution.limits import Limits
from tasks.evaluation.code_execution.system_calls import seccomp_filter

MB = 2**20
NOBODY = 65534  # the first of the numbers that root becomes, downwards; nothing should belong to them
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


class Sandbox:
    """Starts confined Pythons. A context: what it puts on the disk, root's copy of bubblewrap, goes at the end.

    Raises SandboxError at once where code cannot be held.
    """

    environment: Mapping[str, str] = MappingProxyType({})  # of bubblewrap, which gives nothing of it on

    def __init__(self, config: ExecutionConfig) -> None:
        self.config = config
        self._stack = ExitStack()
        self._root = programs.is_root()
        self._setpriv = programs.find_setpriv() if self._root else None
        self.python, self._prefix = programs.find_python(everybody=self._root)
        self._bubblewraps = programs.find_bubblewraps()
        self._bubblewrap = self._bubblewraps[0]
        self._filter = seccomp_filter()

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _set_up(self) -> None:
        self._stack.enter_context(subreaper())
        complaints = []
        for found in self._bubblewraps:
            self._bubblewrap = self._for_its_user(found)
            self.version, complaint = self._greeted()
            if self.version:
                return
            complaints.append(f"{self._bubblewrap}: {complaint}")
        raise SandboxError(
            f"generated code is not run without a sandbox, and bubblewrap makes none here ({'; '.join(complaints)}). Expected "
            "bubblewrap 0.8 or later and Linux with namespaces for users (sysctl user.max_user_namespaces above 0; of "
            "AppArmor, kernel.apparmor_restrict_unprivileged_userns=0; of Docker, --security-opt seccomp=unconfined)."
        )

    def _for_its_user(self, bubblewrap: Path) -> Path:
        """bubblewrap, or a copy where whom root becomes could not run it."""
        if not self._root or programs.open_to_all(bubblewrap):
            return bubblewrap
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="stillhouse-bwrap-"))
        return programs.copy_for_all(bubblewrap, Path(folder))

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

    def sources(self, modules: Sequence[str]) -> list[tuple[str, str]]:
        """Modules of this folder, by their whole names, with their text."""
        return [(f"{_PACKAGE}.{name}", (_HERE / f"{name}.py").read_text()) for name in modules]

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
        filter_out, filter_in = os.pipe()
        information, informs = os.pipe()
        with os.fdopen(filter_out, "rb") as kept, os.fdopen(information, "rb") as told:
            with os.fdopen(filter_in, "wb") as pipe:
                pipe.write(self._filter)
            with os.fdopen(informs, "wb"):
                words = [
                    *self.user(number), f"{self._bubblewrap}", *self.walls(), "--seccomp", f"{kept.fileno()}",
                    "--info-fd", f"{informs}", "--", f"{self.python}", "-s", "-S", "-B", "-P", "-c",
                    _BOOT.format(sources=self.sources(modules)), *arguments,
                ]  # fmt: skip
                process = subprocess.Popen(
                    words,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    env=self.environment,
                    cwd="/",
                    pass_fds=[kept.fileno(), informs, *pass_fds],
                )
            return Confined(process, self.limits(), inner_process(told.read()))

    def _greeted(self) -> tuple[str, str]:
        """The version that a Python inside says of itself; and what was complained of, where none could be held."""
        confined = self.start(0, ["greeting"], [], subprocess.DEVNULL, subprocess.PIPE)
        try:
            heard = listen({"said": confined.process.stdout, "errors": confined.process.stderr}, "said", MB)
        finally:
            confined.end(PATIENCE)
        complaint = heard.data["errors"].decode(errors="replace").strip()
        return heard.data["said"].decode(), complaint or f"it ended with code {confined.code}"
