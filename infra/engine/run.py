"""One flow run: its options, store, tracking and what became of each stage. Opened by the flow, seen by the stages."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, Field
from rich.text import Text

from infra.catalog.eviction import keep_bound
from infra.engine.abandoned import Marker, end_dead_runs
from infra.engine.call import RunIds
from infra.engine.launchers import check_launcher
from infra.engine.naming import asked_about, prefect_run_id, run_name
from infra.engine.outlook import Expected, Named, Outlook
from infra.engine.registry import check_kept_home
from infra.errors import ConfigError, InputChanged
from infra.files import disk_errors, path_digest
from infra.machine.ends_with_parent import look_after
from infra.machine.environment import open_home
from infra.machine.held import held_file
from infra.machine.processes import Child
from infra.machine.temporary_servers import temporary_servers
from infra.machine.terminal import Terminal, one_line, visible
from infra.settings import Settings, get_settings
from infra.store.artifacts import Store
from infra.store.locks import KeysInUse
from infra.store.references import ArtifactRef
from infra.store.shared.sharing import Sharing
from infra.tracking.tracker import Tracker

logger = logging.getLogger(__name__)
FILE_SCHEME = "file:"


class StageOutcome(BaseModel, frozen=True):
    """What became of one stage in a run. `label`: on what a flow called it, where it calls it on several things."""

    name: str
    label: str = ""
    state: Literal["computed", "cached"]
    seconds: float
    key: str
    digest: str
    cost: float = Field(
        0.0, exclude=True, description="seconds that computing it took, in whichever run that was"
    )

    @property
    def named(self) -> Named:
        """Name and label, as they are shown."""
        return Named(self.name, self.label)


class PlanLine(BaseModel, frozen=True):
    """What a dry run says of one stage."""

    name: str
    state: Literal["hit", "miss", "action"]
    why: str = Field(
        "",
        description="on a miss: what changed since the last record; on a hit: other library versions that made it",
    )


@dataclass(frozen=True)
class RunOptions:
    """How a flow is run; nothing here changes what it computes. `plan` takes what a dry run finds."""

    dry_run: bool = False
    full_verify: bool = False
    plan: list[PlanLine] = field(default_factory=list)


@dataclass
class FlowRun:
    """A run under way, `title` its name in both UIs. `watcher` sees the metrics of stages as they come, and may raise
    StageStopped.

    Not `whole`: this process takes part in a run of another one, and knows nothing of what else is done there.
    """

    name: str
    settings: Settings
    options: RunOptions
    store: Store
    tracker: Tracker
    flow_run_id: str | None = None
    mlflow_run_id: str | None = None
    watcher: Callable[[Mapping[str, float], int], None] | None = None
    outcomes: list[StageOutcome] = field(default_factory=list)
    pins: dict[str, Callable[[], str]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    whole: bool = True
    title: str = ""
    console: Terminal = field(default_factory=lambda: Terminal(stderr=True))
    sharing: Sharing = field(init=False)
    keys: KeysInUse = field(init=False)
    outlook: Outlook = field(init=False)

    def __post_init__(self) -> None:
        self.sharing = Sharing(self.settings, self.store, self.say)
        self.keys = KeysInUse(self.settings.locks)
        self.outlook = Outlook(self.settings.outlooks / f"{self.name}.json")

    @property
    def seconds(self) -> float:
        """Seconds since the run was opened."""
        return time.monotonic() - self.started

    def say(self, line: str | Text) -> None:
        """A line for the person at the terminal, and for Prefect's log: text or, where a part has a style, `one_line`."""
        shown = one_line(line) if isinstance(line, str) else line
        self.console.print(shown)
        logger.info(visible(shown.plain))

    def ids(self) -> RunIds:
        """By what another process takes part in this run."""
        return RunIds(
            self.name, self.tracker.session, self.flow_run_id, self.mlflow_run_id, self.options.full_verify
        )

    def begun(self, key: str, name: str, label: str = "") -> None:
        """Show that a stage begins to be computed, where in the run that is, and how long the rest takes."""
        named = Named(name, label)
        told = self.outlook.begun(key, named) if self.whole else ""
        self.say(one_line("  ", ("running ", "dim"), f" {named!s:<18}   {told}".rstrip()))

    def note(self, outcome: StageOutcome) -> None:
        """Note a stage's outcome. A hit that had to be computed after all is no hit."""
        again = next((i for i, known in enumerate(self.outcomes) if known.key == outcome.key), None)
        if again is not None and outcome.state == "computed":
            self.outcomes[again] = outcome
        else:
            self.outcomes.append(outcome)
        self._outlook_done(outcome)

    def show(self, outcome: StageOutcome) -> None:
        """Say what became of a stage."""
        self._outlook_done(outcome)
        mark = (f"{outcome.state:<8}", "green" if outcome.state == "cached" else "bold")
        told = f" {outcome.named!s:<18} {outcome.seconds:7.1f} s  {outcome.digest[:12]}"
        self.say(one_line("  ", mark, told))

    def _outlook_done(self, outcome: StageOutcome) -> None:
        self.outlook.done(outcome.key, Expected(name=outcome.name, label=outcome.label, seconds=outcome.cost))

    def pin(self, ref: ArtifactRef, digest: Callable[[], str]) -> None:
        """Note how the digest of an input outside the store is taken again, once a stage has read it."""
        self.pins[ref.uri] = digest

    def check_pinned(self, stage: str, inputs: Mapping[str, ArtifactRef]) -> None:
        """Take the digests of a stage's inputs outside the store again.

        Raises InputChanged when one is no longer what the stage's key says: what was made of it belongs to no key.
        """
        for name, ref in inputs.items():
            if not ref.uri.startswith(FILE_SCHEME):
                continue
            digest = self.pins[ref.uri]() if ref.uri in self.pins else path_digest(self.store.path(ref))
            if digest != ref.digest:
                raise InputChanged(
                    f"{ref.uri}, the {name} of {stage}, changed while {stage} was under way: expected the files that were "
                    "there when the run began. Nothing of it was kept. Run again once nobody writes to them."
                )

    def planned(self, line: PlanLine) -> None:
        """Note what a dry run found."""
        self.options.plan.append(line)


_options: ContextVar[RunOptions | None] = ContextVar("options", default=None)
_current: ContextVar[FlowRun | None] = ContextVar("current", default=None)


@contextmanager
def run_options(options: RunOptions) -> Iterator[None]:
    """Options for the flow called inside."""
    token = _options.set(options)
    try:
        yield
    finally:
        _options.reset(token)


def current_run() -> FlowRun:
    """The open run. Raises ConfigError outside of one: a stage cannot be called on its own."""
    run = _current.get()
    if run is None:
        raise ConfigError(
            "a stage was called outside of a flow run: expected `with open_run(name, config):` around it."
        )
    return run


@contextmanager
def joined_run(ids: RunIds) -> Iterator[FlowRun]:
    """The open run that a call belongs to; in a process or machine of its own it is made of the settings there."""
    run = _current.get()
    if run is not None:
        yield run
        return
    run = _taken_part_in(ids)
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)


@lru_cache(maxsize=1)
def _taken_part_in(ids: RunIds) -> FlowRun:
    """One a process: the keys that its calls count on are held until it ends, which is when the flow's process does."""
    look_after(os.getppid())
    settings = get_settings()
    tracker = Tracker(settings, f"stillhouse/{ids.name}", ids.session)
    run = FlowRun(ids.name, settings, RunOptions(full_verify=ids.full_verify), Store(settings), tracker)
    run.flow_run_id, run.mlflow_run_id, run.whole = ids.flow_run_id, ids.mlflow_run_id, False
    return run


@contextmanager
def open_run(name: str, config: BaseModel) -> Iterator[FlowRun]:
    """Open the MLflow parent run and everything the stages of one flow run share."""
    settings, options = get_settings(), _options.get() or RunOptions()
    check_kept_home(settings)
    check_launcher(settings)
    run = FlowRun(name, settings, options, Store(settings), Tracker(settings, f"stillhouse/{name}"))
    run.title = run_name(name, config)
    token = _current.set(run)
    try:
        if options.dry_run:
            yield run
        else:
            open_home(settings)
            with _tracked(run, config):
                yield run
    finally:
        run.keys.release()
        _current.reset(token)


@contextmanager
def _tracked(run: FlowRun, config: BaseModel) -> Iterator[None]:
    run.flow_run_id = prefect_run_id()
    if killed := end_dead_runs(run.settings):
        run.say(f"  {killed} earlier run(s) had been killed; they are marked as such")
    tags = {"prefect.flow_run_id": run.flow_run_id or "", **asked_about(config)}
    run.mlflow_run_id = run.tracker.start_flow(run.title, config, tags)
    marker = run.settings.runs / f"{run.flow_run_id or uuid4()}.json"
    held = ExitStack()
    with disk_errors(marker):
        marker.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(held_file(marker, _marker(run).model_dump_json()))
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
        run.outlook.keep()
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run.tracker.flush()
        run.tracker.end(run.mlflow_run_id, status)
        held.close()
        keep_bound(run.sharing)


def _marker(run: FlowRun) -> Marker:
    process = Child.of(os.getpid())
    return Marker(
        pid=process.pid,
        pid_started=process.started,
        host=socket.gethostname(),
        held=True,
        flow=run.name,
        flow_run_id=None if run.flow_run_id is None else UUID(run.flow_run_id),
        mlflow_run_id=run.mlflow_run_id,
        children=temporary_servers(),
    )
