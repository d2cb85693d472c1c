"""A stage's function in a process of its own, as the flow's process sees it: started, followed, and always ended."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil

from infra import errors
from infra.engine.call import StageCall
from infra.engine.launchers import Launcher, launcher_for
from infra.engine.spec import (
    ERRORS,
    PIDS,
    RESULT,
    SPEC,
    TOLD,
    Failure,
    InputSpec,
    Result,
    Spec,
    Tail,
    Told,
)
from infra.engine.stage import House, StageRun, each_input
from infra.errors import ConfigError, StageFailed, StillhouseError
from infra.files import write_atomically
from infra.machine.last_words import LastWords
from infra.settings import Settings
from infra.store.history import STEP
from infra.store.record import HISTORY_FILE, Launch
from infra.store.references import SEVERAL, ArtifactRef

LOOK_SECONDS = 0.2  # between two looks at what it has written
GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
PREFECTS = "PREFECT_"  # its process has nothing to do with Prefect's server, and gets no login
GIB = 2**30


class Observer(House, Protocol):
    """A house that shows metrics which are kept already."""

    def observe(self, values: Mapping[str, float], step: int) -> None:
        """Show them, and ask who watches."""


class ChildTrace(Exception):
    """Where an error was raised in a stage's own process, as text."""


def run_in_process(
    settings: Settings,
    call: StageCall,
    run: StageRun,
    house: Observer,
    lock: int,
    going_on: Callable[[], None],
) -> tuple[dict[str, float], Launch]:
    """Compute a stage's function in its own process; its metrics, and which processes there were.

    `lock` is the open file of the key's lock, which the process holds too. `going_on` is asked now and then and may raise;
    so may who watches the metrics. Raises what the function raised, where it is an error of ours, and StageFailed for any
    other and for a process that ended without a word. However this ends, the process and its children have ended.
    """
    launcher = launcher_for(settings, call.stage)
    folder = run.work_dir / "process"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_atomically(folder / SPEC, written_spec(settings, call, run).model_dump_json(indent=2))
    try:
        process = Process(call.stage.title, launcher, folder, lock)
        metrics, told = Tail(run.work_dir / HISTORY_FILE), Tail(folder / TOLD)
        with process.running():
            alive = True
            while alive:
                alive = process.wait()
                # Also what came after its last breath: who watches is asked before all ends.
                follow(metrics, told, house)
                going_on()
        found = process.result()
        pids = sorted(folder.glob(PIDS), key=lambda path: int(path.stem.removeprefix("rank-")))
        return found.metrics, Launch(
            launcher=launcher.name, pids=tuple(int(path.read_text()) for path in pids)
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def written_spec(settings: Settings, call: StageCall, run: StageRun) -> Spec:
    """What the process gets. Raises ConfigError for a config that JSON does not keep."""
    config = call.config.model_dump(mode="json")
    if type(call.config).model_validate_json(call.config.model_dump_json()) != call.config:
        raise ConfigError(
            f"the config of {call.stage.name} is not the same after it was written as JSON: expected a frozen model of "
            "numbers, text, lists and mappings. Correct its fields."
        )

    def spec(ref: ArtifactRef) -> InputSpec:
        # Absolute, and fetched where only the shared store had it.
        path = None if SEVERAL in ref.uri else run.path(ref).absolute()
        return InputSpec(kind=place(type(ref)), uri=ref.uri, digest=ref.digest, path=path)

    return Spec(
        stage=call.stage.place,
        label=call.stage.title,
        key=run.key,
        config_class=place(type(call.config)),
        config=config,
        inputs=each_input(call.inputs, spec),
        output=run.output_dir,
        work=run.work_dir,
        home=settings.home,
        machine=run.machine,
        parent=os.getpid(),
    )


def place(kind: type[Any]) -> str:
    """`module:class`."""
    return f"{kind.__module__}:{kind.__qualname__}"


def follow(metrics: Tail, told: Tail, house: Observer) -> None:
    """Show what the process has written since the last look."""
    for row in metrics.lines():
        step = int(row.pop(STEP, 0))
        house.observe({name: float(value) for name, value in row.items()}, step)
    for line in told.lines():
        said = Told.model_validate(line)
        if said.progress is not None:
            house.progress(said.progress)
        if said.say is not None:
            house.say(said.say)


class Process:
    """The process (with a launcher, its processes) of one stage."""

    def __init__(self, label: str, launcher: Launcher, folder: Path, lock: int) -> None:
        self.label, self.folder = label, folder
        self._peak, self._kills = 0, memory_kills()
        self._words = LastWords()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFECTS)}
        try:
            # A group of its own: Ctrl-C reaches the flow, which ends it as a whole.
            self._process = subprocess.Popen(
                launcher.command(folder / SPEC),
                env=environment | launcher.environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._words.theirs,
                stderr=self._words.theirs,
                pass_fds=(lock,),
                process_group=0,
            )
        finally:
            self._words.begin()

    @contextmanager
    def running(self) -> Iterator[None]:
        """It has ended when the block has, by force where need be."""
        try:
            yield
        finally:
            self._end()

    def wait(self) -> bool:
        """Wait a moment; whether it still runs."""
        with suppress(psutil.Error):
            here = psutil.Process(self._process.pid)
            family = [here, *here.children(recursive=True)]
            self._peak = max(self._peak, sum(process.memory_info().rss for process in family))
        try:
            self._process.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        return False

    def result(self) -> Result:
        """What it came to. Raises what it raised; StageFailed when it left neither."""
        if (found := self.folder / RESULT).is_file():
            return Result.model_validate_json(found.read_bytes())
        # Of several processes the first to fail says why; the others lost their partner.
        failures = sorted(self.folder.glob(ERRORS), key=lambda path: path.stat().st_mtime_ns)
        if failures:
            raise self._raised(Failure.model_validate_json(failures[0].read_bytes()))
        raise self._vanished()

    def _raised(self, failure: Failure) -> StillhouseError:
        kind = getattr(errors, failure.kind, None)
        if isinstance(kind, type) and issubclass(kind, StillhouseError):
            return kind(failure.message)
        if failure.memory:
            error = StageFailed(f"{self.label} ran out of memory ({failure.message}). {self._remedy()}")
        else:
            error = StageFailed(
                f"{self.label} failed in its process with {failure.kind}: {failure.message}. That is a fault of Stillhouse or "
                "of a library: the lines above say where. What was finished is kept."
            )
        error.__cause__ = ChildTrace(failure.trace)
        return error

    def _vanished(self) -> StageFailed:
        code = self._process.returncode
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        if code == -signal.SIGKILL and memory_kills() > self._kills:
            why = "the kernel ended it for want of memory"
        elif code == -signal.SIGKILL:
            why = "somebody ended it, or the kernel for want of memory"
        else:
            why = "it left no error behind"
        words = self._words.last() or "nothing"
        return StageFailed(
            f"{self.label}'s process ended {how}: expected a result; {why}. {self._remedy()} Its last words:\n{words}"
        )

    def _remedy(self) -> str:
        total = psutil.virtual_memory().total
        return (
            f"It had used {self._peak / GIB:.1f} GiB of this machine's {total / GIB:.0f}. Free memory, give it smaller "
            "batches, or run less beside it, and run again: it goes on from its last checkpoint."
        )

    def _end(self) -> None:
        """SIGTERM to its group, SIGKILL after a grace; the end of a leader is not that of its children."""
        process = self._process
        with suppress(ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._words.end()


def memory_kills() -> int:
    """How many processes the kernel has ended for want of memory since it booted; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
