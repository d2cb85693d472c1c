"""`@stage` and `@action`: the only place where Prefect's task, the cache key, the store and the tracking run meet.

A stage is computed once a key = sha256 of {stage, version, config, digest of each input}; after that its verified
artifact is served and Prefect shows the task as Cached. An action (pinning a source, pushing, reporting) runs each
time and is idempotent by digest.
"""

import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from pydantic import BaseModel, JsonValue
from rich.text import Text

from infra.machine import environment

environment.prepare()

from prefect import task  # noqa: E402
from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy  # noqa: E402
from prefect.context import TaskRunContext  # noqa: E402
from prefect.states import Completed, State  # noqa: E402

from infra.engine.explain import explain_miss  # noqa: E402
from infra.engine.run import FlowRun, PlanLine, StageOutcome, current_run  # noqa: E402
from infra.errors import ArtifactError, ConfigError, StageStopped, StillhouseError, without_frames  # noqa: E402
from infra.files import disk_errors  # noqa: E402
from infra.settings import Settings  # noqa: E402
from infra.store.artifacts import KEY_LENGTH, Store, content_digest, measure_files  # noqa: E402
from infra.store.fingerprint import canonical, stage_key  # noqa: E402
from infra.store.history import keep_history, read_history  # noqa: E402
from infra.store.record import HISTORY_FILE, InputRecord, Record, code_revision, hardware, library_versions  # noqa: E402
from infra.store.references import STORE_SCHEME, ArtifactRef, Pending  # noqa: E402
from infra.tracking.progress import Progress  # noqa: E402
from infra.tracking.tracker import Tracker  # noqa: E402

logger = logging.getLogger(__name__)
Metrics = Mapping[str, float]
Output = TypeVar("Output", bound=ArtifactRef)
Value = TypeVar("Value", bound=BaseModel)
Inputs = ParamSpec("Inputs")
TEMPORARY_PROGRESS = "progress"


@dataclass(frozen=True)
class StageRun:
    """What a stage's function sees of the house."""

    key: str
    store: Store
    output_dir: Path
    work_dir: Path
    tracker: Tracker
    mlflow_run_id: str | None
    progress: Progress

    def path(self, ref: ArtifactRef) -> Path:
        """Folder or file of an input; read only."""
        return self.store.path(ref)

    def log_metrics(self, metrics: Metrics, step: int) -> None:
        """Keep metrics of a step beside the artifact and send them to MLflow. `progress` (0 to 1) goes to Prefect."""
        values = {name: float(value) for name, value in metrics.items()}
        if (done := values.pop(TEMPORARY_PROGRESS, None)) is not None:
            self.progress.update(done)
        with (self.work_dir / HISTORY_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self.tracker.log(self.mlflow_run_id, [(name, value, step) for name, value in values.items()])
        if (watcher := current_run().watcher) is not None:
            watcher(values, step)


@dataclass(frozen=True)
class ActionRun:
    """What an action's function sees of the house."""

    settings: Settings
    store: Store
    tracker: Tracker
    flow: FlowRun
    name: str
    version: int

    def source(self, asked: JsonValue, **inputs: ArtifactRef) -> str:
        """Key of what this action makes from these: what stands already under it need not be made again."""
        return stage_key(self.name, self.version, asked, inputs)

    def path(self, ref: ArtifactRef) -> Path:
        """Folder or file of a reference."""
        return self.store.path(ref)

    def record(self, ref: ArtifactRef) -> Record | None:
        """How an artifact came to be; None for what lies outside the store."""
        return self.store.record_of(ref)


class Stage(Generic[Inputs, Output]):
    """A cached step. Calling it in a flow gives the reference of its artifact."""

    def __init__(self, function: Callable[..., Metrics], version: int, output: type[Output]) -> None:
        self.function, self.version, self.output = function, version, output
        self.name = function.__name__
        self.__doc__ = function.__doc__
        self.input_names = tuple(inspect.signature(function).parameters)[2:]
        self.task = task(
            name=self.name,
            task_run_name=self.name,
            cache_policy=CacheKeyFnPolicy(cache_key_fn=_given_key),
            persist_result=True,
            result_serializer="json",
        )(self._run)

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        flow = current_run()
        config, inputs = self._bind(*cast(tuple[Any, ...], args), **cast(dict[str, Any], kwargs))
        asked = canonical(config)
        if flow.options.dry_run:
            return self._plan(flow, asked, inputs)
        key = stage_key(self.name, self.version, asked, inputs)
        started = time.monotonic()
        # Without a record in the home, a result that Prefect still remembers must not be served.
        here = flow.store.find(self.name, key, flow.options.full_verify).record
        served = self.task.with_options(refresh_cache=here is None)
        outcomes = len(flow.outcomes)
        served(key=key, config=config, inputs=inputs)
        record = flow.store.find(self.name, key).record
        if record is None:
            raise ArtifactError(f"{self.name} was removed while the run was under way. Run the flow again.")
        if len(flow.outcomes) == outcomes:
            self._serve(flow, record, started)
        return self._ref(record)

    def key(self, config: BaseModel, inputs: Mapping[str, ArtifactRef]) -> str:
        """The cache key of these inputs."""
        return stage_key(self.name, self.version, canonical(config), inputs)

    def _bind(
        self, config: BaseModel, *refs: ArtifactRef, **named: ArtifactRef
    ) -> tuple[BaseModel, dict[str, ArtifactRef]]:
        bound = dict(zip(self.input_names, refs, strict=False)) | named
        if tuple(sorted(bound)) != tuple(sorted(self.input_names)) or len(refs) > len(self.input_names):
            raise ConfigError(
                f"{self.name} takes {list(self.input_names)}: found {sorted(bound)}. Correct the flow."
            )
        return config, {name: bound[name] for name in self.input_names}

    def _plan(self, flow: FlowRun, asked: JsonValue, inputs: Mapping[str, ArtifactRef | Pending]) -> Output:
        problem = None
        known = {name: ref for name, ref in inputs.items() if isinstance(ref, ArtifactRef)}
        if len(known) == len(inputs):
            key = stage_key(self.name, self.version, asked, known)
            lookup = flow.sharing.look(self.name, key, flow.options.full_verify)
            if lookup.record is not None:
                flow.planned(PlanLine(name=self.name, state="hit"))
                return self._ref(lookup.record)
            problem = lookup.problem
        why = explain_miss(self.version, asked, inputs, flow.store.records(self.name), problem)
        flow.planned(PlanLine(name=self.name, state="miss", why=why))
        return cast(Output, Pending(name=self.name, kind="miss"))

    def _run(self, key: str, config: BaseModel, inputs: dict[str, ArtifactRef]) -> Output | State[Output]:
        flow, started = current_run(), time.monotonic()
        with flow.store.lock(key, lambda: flow.say(f"  {self.name}: another run computes it; waiting")):
            lookup = flow.sharing.find(self.name, key, flow.options.full_verify)
            if lookup.problem:
                flow.say(Text(f"  {lookup.problem}: {self.name} is computed again", "yellow"))
            found = lookup.record
            try:
                record = found or self._compute(flow, key, config, inputs)
            except StillhouseError as error:
                # Prefect keeps the exception to the end of the process: without its frames, no model or
                # connection stays with it.
                cause = without_frames(error)
                raise error.with_traceback(None) from cause
        if found is not None:
            self._serve(flow, record, started)
            return cast("State[Output]", Completed(name="Cached", data=self._ref(record)))
        flow.finished(_outcome(record, "computed", record.seconds))
        flow.sharing.share(record)
        return self._ref(record)

    def _compute(
        self, flow: FlowRun, key: str, config: BaseModel, inputs: Mapping[str, ArtifactRef]
    ) -> Record:
        asked, began, clock = canonical(config), datetime.now(UTC), time.monotonic()
        flow.say(Text.assemble("  ", ("running ", "dim"), f" {self.name}"))
        run_id = flow.tracker.start(self.name, flow.mlflow_run_id, asked)
        status = "FAILED"
        try:
            with flow.store.writing(self.name, key) as (output, work):
                run = StageRun(key, flow.store, output, work, flow.tracker, run_id, Progress(self.name))
                metrics = {name: float(value) for name, value in self.function(run, config, **inputs).items()}
                keep_history(work / HISTORY_FILE, output / HISTORY_FILE)
                files = measure_files(output)
                record = Record(
                    stage=self.name,
                    version=self.version,
                    key=key,
                    kind=self.output.__name__,
                    digest=content_digest(files),
                    config=asked,
                    inputs={
                        name: InputRecord(
                            kind=type(ref).__name__, **ref.model_dump(include={"uri", "digest"})
                        )
                        for name, ref in inputs.items()
                    },
                    files=files,
                    metrics=metrics,
                    seed=getattr(config, "seed", None),
                    started=began.isoformat(),
                    finished=datetime.now(UTC).isoformat(),
                    seconds=time.monotonic() - clock,
                    mlflow_run_id=run_id,
                    code_revision=code_revision(),
                    libraries=library_versions(),
                    hardware=hardware(),
                )
                flow.store.commit(record)
            flow.tracker.log(run_id, [(name, value, 0) for name, value in metrics.items()])
            status = "FINISHED"
        except StageStopped:
            status = "KILLED"
            raise
        finally:
            flow.tracker.end(run_id, status)
        return record

    def _serve(self, flow: FlowRun, record: Record, started: float) -> None:
        flow.tracker.replay(
            record, flow.mlflow_run_id, read_history(flow.store.folder(record.stage, record.key))
        )
        flow.finished(_outcome(record, "cached", time.monotonic() - started))
        flow.sharing.share(record)

    def _ref(self, record: Record) -> Output:
        return self.output(uri=f"{STORE_SCHEME}{self.name}/{record.key[:KEY_LENGTH]}", digest=record.digest)


def stage(
    *, version: int, output: type[Output]
) -> Callable[[Callable[Concatenate[StageRun, Inputs], Metrics]], Stage[Inputs, Output]]:
    """Make a cached stage of `function(run, config, **refs) -> metrics`.

    Raise `version` when what it computes changes.
    """

    def decorate(function: Callable[Concatenate[StageRun, Inputs], Metrics]) -> Stage[Inputs, Output]:
        return Stage(function, version, output)

    return decorate


def action(
    *, version: int = 1, dry_run: bool = False
) -> Callable[[Callable[Concatenate[ActionRun, Inputs], Value]], Callable[Inputs, Value]]:
    """Make an uncached, idempotent step of `function(run, config, ...)`; with `dry_run` it also runs in a dry run.

    Raise `version` when what it makes from the same inputs changes.
    """

    def decorate(function: Callable[Concatenate[ActionRun, Inputs], Value]) -> Callable[Inputs, Value]:
        name = function.__name__

        def body(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value:
            flow = current_run()
            run = ActionRun(flow.settings, flow.store, flow.tracker, flow, name, version)
            with disk_errors(flow.settings.home):
                return function(run, *args, **kwargs)

        as_task = task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(body)

        def call(*args: Inputs.args, **kwargs: Inputs.kwargs) -> Value:
            flow = current_run()
            if not flow.options.dry_run:
                return as_task(args, kwargs)
            if dry_run and not any(isinstance(value, Pending) for value in (*args, *kwargs.values())):
                return body(args, kwargs)
            flow.planned(PlanLine(name=name, state="action", why="runs each time"))
            return cast(Value, Pending(name=name, kind="action"))

        call.__doc__, call.__name__ = function.__doc__, name
        return call

    return decorate


def _given_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    return str(parameters["key"])


def _outcome(record: Record, state: Any, seconds: float) -> StageOutcome:
    return StageOutcome(
        name=record.stage, state=state, seconds=round(seconds, 3), key=record.key, digest=record.digest
    )
