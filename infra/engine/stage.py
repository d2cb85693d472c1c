"""`@stage`: the only place where Prefect's task, the cache key, the store and the tracking run meet.

A stage is computed once a key = sha256 of {stage, version, config, digest of each input}; after that its verified
artifact is served and Prefect shows the task as Cached.
"""

import inspect
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from pydantic import BaseModel, JsonValue

from infra.machine import environment, prefect_import

environment.prepare()
prefect_import.import_prefect()

from prefect import task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.states import Completed, State  # noqa: E402

from infra.engine.explain import explain_hit, explain_miss  # noqa: E402
from infra.engine.registry import register  # noqa: E402
from infra.engine.run import FlowRun, PlanLine, StageOutcome, current_run  # noqa: E402
from infra.errors import ConfigError, StageStopped, StillhouseError, without_frames  # noqa: E402
from infra.machine.cpu import machine_facts  # noqa: E402
from infra.machine.terminal import one_line  # noqa: E402
from infra.store.artifacts import KEY_LENGTH, Lookup, Store  # noqa: E402
from infra.store.contents import content_digest, measure_files  # noqa: E402
from infra.store.fingerprint import canonical, stage_key  # noqa: E402
from infra.store.history import keep_history, read_history  # noqa: E402
from infra.store.record import (  # noqa: E402  # fmt: skip
    HISTORY_FILE,
    SCHEMA,
    InputRecord,
    Record,
    code_revision,
    hardware,
    library_versions,
)
from infra.store.references import STORE_SCHEME, ArtifactRef, Pending  # noqa: E402
from infra.tracking.progress import Progress  # noqa: E402
from infra.tracking.tracker import Tracker  # noqa: E402

Metrics = Mapping[str, float]
Output = TypeVar("Output", bound=ArtifactRef)
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


class Stage(Generic[Inputs, Output]):
    """A cached step. Calling it in a flow gives the reference of its artifact."""

    def __init__(
        self, function: Callable[..., Metrics], version: int, output: type[Output], machine: bool
    ) -> None:
        self.function, self.version, self.output, self.machine = function, version, output, machine
        self.name = register(function, stage=True)
        self.__doc__ = function.__doc__
        self.input_names = tuple(inspect.signature(function).parameters)[2:]
        # Our store is the one cache: it verifies what it serves, and its keys hold across flows.
        self.task = task(
            name=self.name, task_run_name=self.name, cache_policy=NO_CACHE, persist_result=False
        )(self._run)

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        flow = current_run()
        config, inputs = self._bind(*cast(tuple[Any, ...], args), **cast(dict[str, Any], kwargs))
        if flow.options.dry_run:
            return self._plan(flow, config, inputs)
        answer = self.task(config=config, inputs=inputs)
        # A direct call gives a state that the function returned (Cached) as it is, and a plain result otherwise.
        return answer.result() if isinstance(answer, State) else answer

    def key(self, config: BaseModel, inputs: Mapping[str, ArtifactRef]) -> str:
        """The cache key of these inputs, on this machine where that is part of it."""
        return stage_key(self.name, self.version, canonical(config), inputs, self._facts())

    def _former_key(self, config: BaseModel, inputs: Mapping[str, ArtifactRef]) -> str | None:
        """The key under which this was kept before `auto` counted as what it comes to; None where it is the same."""
        asked, former = canonical(config), canonical(config, former=True)
        return None if asked == former else stage_key(self.name, self.version, former, inputs, self._facts())

    def _facts(self) -> JsonValue:
        return machine_facts() if self.machine else None

    def _bind(
        self, config: BaseModel, *refs: ArtifactRef, **named: ArtifactRef
    ) -> tuple[BaseModel, dict[str, ArtifactRef]]:
        bound = dict(zip(self.input_names, refs, strict=False)) | named
        if tuple(sorted(bound)) != tuple(sorted(self.input_names)) or len(refs) > len(self.input_names):
            raise ConfigError(
                f"{self.name} takes {list(self.input_names)}: found {sorted(bound)}. Correct the flow."
            )
        return config, {name: bound[name] for name in self.input_names}

    def _plan(self, flow: FlowRun, config: BaseModel, inputs: Mapping[str, ArtifactRef | Pending]) -> Output:
        problem = None
        known = {name: ref for name, ref in inputs.items() if isinstance(ref, ArtifactRef)}
        if len(known) == len(inputs):
            lookup = self._found(flow.sharing.look, config, known)
            if lookup.record is not None:
                flow.planned(PlanLine(name=self.name, state="hit", why=explain_hit(lookup.record)))
                return self._ref(lookup.record)
            problem = lookup.problem
        records = flow.store.records(self.name)
        why = explain_miss(self.version, canonical(config), inputs, records, problem, self._facts())
        flow.planned(PlanLine(name=self.name, state="miss", why=why))
        return cast(Output, Pending(name=self.name, kind="miss"))

    def _found(
        self, look: Callable[[str, str, bool], Lookup], config: BaseModel, inputs: Mapping[str, ArtifactRef]
    ) -> Lookup:
        """What `look` has under the key, or else the home under the former one, if it is of our kind."""
        flow = current_run()
        found = look(self.name, self.key(config, inputs), flow.options.full_verify)
        if found.record is None and (former := self._former_key(config, inputs)) is not None:
            if not flow.options.dry_run:
                flow.keys.hold(former)
            before = flow.store.find(self.name, former, flow.options.full_verify)
            if before.record is not None and before.record.schema_number == 0:
                found = before
        if found.record is not None and found.record.kind != self.output.__name__:
            kind = f"{self.name} is a {found.record.kind} there: expected a {self.output.__name__}"
            return Lookup(None, kind)
        return found

    def _run(self, config: BaseModel, inputs: dict[str, ArtifactRef]) -> Output | State[Output]:
        flow, key, started = current_run(), self.key(config, inputs), time.monotonic()
        flow.keys.hold(key)  # Nothing that is found from now on is freed before the run ends.
        flow.sharing.makers[key] = lambda: self._make_again(flow, key, config, inputs)
        with flow.store.lock(key, lambda: flow.say(f"  {self.name}: another run computes it; waiting")):
            lookup = self._found(flow.sharing.find, config, inputs)
            if lookup.problem:
                flow.say(one_line((f"  {lookup.problem}: {self.name} is computed again", "yellow")))
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
        flow.finished(_outcome(record, "computed", time.monotonic() - started))
        return self._ref(record)

    def _compute(
        self, flow: FlowRun, key: str, config: BaseModel, inputs: Mapping[str, ArtifactRef]
    ) -> Record:
        asked, began, clock = canonical(config), datetime.now(UTC), time.monotonic()
        flow.begun(key, self.name)
        run_id = flow.tracker.start(self.name, flow.mlflow_run_id, asked)
        status = "FAILED"
        try:
            with flow.store.writing(self.name, key) as (output, work):
                run = StageRun(key, flow.store, output, work, flow.tracker, run_id, Progress(self.name))
                metrics = {name: float(value) for name, value in self.function(run, config, **inputs).items()}
                flow.check_pinned(self.name, inputs)
                keep_history(work / HISTORY_FILE, output / HISTORY_FILE)
                files = measure_files(output)
                record = Record(
                    schema=SCHEMA,
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
                    machine=self._facts(),
                )
                own, record = record, flow.sharing.publish(record)
                flow.store.commit(record)
            if record.digest != own.digest:
                self._show(flow, record)
            flow.tracker.log(run_id, [(name, value, 0) for name, value in metrics.items()])
            status = "FINISHED"
        except StageStopped:
            status = "KILLED"
            raise
        finally:
            flow.outlook.ended(key)
            flow.tracker.end(run_id, status)
        return record

    def _make_again(
        self, flow: FlowRun, key: str, config: BaseModel, inputs: Mapping[str, ArtifactRef]
    ) -> Record:
        """What was a hit and cannot be fetched any more, now that its files are needed. The caller holds the key."""
        started = time.monotonic()
        record = self._compute(flow, key, config, inputs)
        flow.finished(_outcome(record, "computed", time.monotonic() - started))
        return record

    def _show(self, flow: FlowRun, record: Record) -> None:
        """What another run computed, as a child of this one in MLflow."""
        flow.tracker.replay(
            record, flow.mlflow_run_id, read_history(flow.store.folder(record.stage, record.key))
        )

    def _serve(self, flow: FlowRun, record: Record, started: float) -> None:
        flow.store.use(record)
        self._show(flow, record)
        flow.finished(_outcome(record, "cached", time.monotonic() - started))
        flow.sharing.share(record)

    def _ref(self, record: Record) -> Output:
        return self.output(uri=f"{STORE_SCHEME}{self.name}/{record.key[:KEY_LENGTH]}", digest=record.digest)


def stage(
    *, version: int, output: type[Output], machine: bool = False
) -> Callable[[Callable[Concatenate[StageRun, Inputs], Metrics]], Stage[Inputs, Output]]:
    """Make a cached stage of `function(run, config, **refs) -> metrics`.

    Raise `version` when what it computes changes. `machine`: it measures time, so that processor, usable cores and the
    versions of the runtimes are in its key. Raises ConfigError when another function has the name.
    """

    def decorate(function: Callable[Concatenate[StageRun, Inputs], Metrics]) -> Stage[Inputs, Output]:
        return Stage(function, version, output, machine)

    return decorate


def _outcome(record: Record, state: Any, seconds: float) -> StageOutcome:
    return StageOutcome(
        name=record.stage,
        state=state,
        seconds=round(seconds, 3),
        key=record.key,
        digest=record.digest,
        cost=record.seconds,
    )
