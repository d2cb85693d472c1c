"""A call of a stage, in Prefect's task: looked up, computed if need be, kept, and shown.

Here Prefect's task, the cache key, the store and the tracking run meet, and nowhere else. Our store is the one cache: it
verifies what it serves, and its keys hold across flows. A hit is shown as Cached.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from infra.machine import environment, prefect_import

environment.prepare()
prefect_import.import_prefect()

from prefect import Task, task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402
from prefect.states import Completed, State  # noqa: E402

from infra.engine.call import StageCall  # noqa: E402
from infra.engine.child_process import run_in_process  # noqa: E402
from infra.engine.explain import explain_hit, explain_miss  # noqa: E402
from infra.engine.run import FlowRun, PlanLine, StageOutcome, current_run, joined_run  # noqa: E402
from infra.engine.stage import Metrics, Stage, StageRun, flat_inputs  # noqa: E402
from infra.errors import NotStarted, StageStopped, StillhouseError, without_frames  # noqa: E402
from infra.machine.terminal import one_line  # noqa: E402
from infra.store.artifacts import KEY_LENGTH, Lookup  # noqa: E402
from infra.store.contents import content_digest, measure_files  # noqa: E402
from infra.store.fingerprint import canonical  # noqa: E402
from infra.store.history import add_history, keep_history  # noqa: E402
from infra.store.record import (  # noqa: E402  # fmt: skip
    HISTORY_FILE,
    SCHEMA,
    InputRecord,
    Launch,
    Record,
    code_revision,
    hardware,
    library_versions,
)
from infra.store.references import STORE_SCHEME, ArtifactRef, Pending  # noqa: E402
from infra.tracking.progress import Progress  # noqa: E402


def call_stage(stage: Stage[..., Any], config: BaseModel, inputs: Mapping[str, Any]) -> ArtifactRef | Pending:
    """Call a stage now, in this thread; in a dry run, say what it would do."""
    flow = current_run()
    flat = flat_inputs(stage.name, inputs)
    if flow.options.dry_run:
        return plan_stage(flow, stage, config, flat)
    answer: Any = task_of(stage)(StageCall(stage, config, inputs, flow.ids()))
    # A direct call gives a state that the function returned (Cached) as it is, and a plain result otherwise.
    return cast(ArtifactRef, answer.result() if isinstance(answer, State) else answer)


def task_of(stage: Stage[..., Any]) -> Task[[StageCall], Any]:
    """Prefect's task for a stage's calls, named after it."""
    return stage_task.with_options(
        name=stage.name, task_run_name=stage.title.replace("{", "{{").replace("}", "}}")
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def stage_task(call: StageCall) -> ArtifactRef | State[Any]:
    """The reference of the call's artifact; a state named Cached around it when it was served."""
    with joined_run(call.run) as flow:
        if call.group is not None:
            call.group.go_on(call.stage.title)
        try:
            return Computation(flow, call).answer()
        except BaseException as error:
            if call.group is not None and not isinstance(error, NotStarted):
                call.group.stop(call.stage.title)
            raise


def plan_stage(
    flow: FlowRun, stage: Stage[..., Any], config: BaseModel, inputs: Mapping[str, ArtifactRef | Pending]
) -> ArtifactRef | Pending:
    """Note whether a call would be a hit, and on a miss why; the reference, or what stands for it."""
    problem = None
    known = {name: ref for name, ref in inputs.items() if isinstance(ref, ArtifactRef)}
    if len(known) == len(inputs):
        lookup = look_up(flow, stage, flow.sharing.look, config, known)
        if lookup.record is not None:
            flow.planned(PlanLine(name=stage.title, state="hit", why=explain_hit(lookup.record)))
            return reference(stage, lookup.record)
        problem = lookup.problem
    records = flow.store.records(stage.name)
    why = explain_miss(stage.version, canonical(config), inputs, records, problem, stage.facts())
    flow.planned(PlanLine(name=stage.title, state="miss", why=why))
    return Pending(name=stage.name, kind="miss")


def look_up(
    flow: FlowRun,
    stage: Stage[..., Any],
    look: Callable[[str, str, bool], Lookup],
    config: BaseModel,
    inputs: Mapping[str, ArtifactRef],
) -> Lookup:
    """What `look` has under the key, if it is of our kind."""
    found = look(stage.name, stage.key(config, inputs), flow.options.full_verify)
    if found.record is not None and found.record.kind != stage.output.__name__:
        kind = f"{stage.name} is a {found.record.kind} there: expected a {stage.output.__name__}"
        return Lookup(None, kind)
    return found


def reference(stage: Stage[..., Any], record: Record) -> ArtifactRef:
    """What the next stage gets."""
    uri = f"{STORE_SCHEME}{stage.name}/{record.key[:KEY_LENGTH]}"
    return cast(ArtifactRef, stage.output(uri=uri, digest=record.digest))


@dataclass(frozen=True)
class FlowHouse:
    """What a stage reaches in the flow's own process: store, MLflow, Prefect, and who watches."""

    flow: FlowRun
    work_dir: Path
    mlflow_run_id: str | None
    shown: Progress

    def path(self, ref: ArtifactRef) -> Path:
        """See `House.path`. What only the shared store has is fetched."""
        return self.flow.store.path(ref)

    def metrics(self, values: Metrics, step: int) -> None:
        """See `House.metrics`."""
        add_history(self.work_dir, values, step)
        self.observe(values, step)

    def observe(self, values: Metrics, step: int) -> None:
        """Show metrics that are kept already, and ask who watches. May raise StageStopped."""
        self.flow.tracker.log(self.mlflow_run_id, [(name, value, step) for name, value in values.items()])
        if self.flow.watcher is not None:
            self.flow.watcher(values, step)

    def progress(self, done: float) -> None:
        """See `House.progress`."""
        self.shown.update(done)

    def say(self, line: str) -> None:
        """See `House.say`."""
        self.flow.say(f"  {line}")


class Computation:
    """One call under way."""

    def __init__(self, flow: FlowRun, call: StageCall) -> None:
        self.flow, self.call, self.stage, self.config = flow, call, call.stage, call.config
        self.inputs: dict[str, ArtifactRef] = flat_inputs(self.stage.name, call.inputs)
        self.key = self.stage.key(call.config, self.inputs)
        self.started = time.monotonic()

    def answer(self) -> ArtifactRef | State[Any]:
        """The reference of the artifact, which is computed when it is not there."""
        flow, stage = self.flow, self.stage
        flow.keys.hold(self.key)  # Nothing that is found from now on is freed before the run ends.
        flow.sharing.makers[self.key] = self._make_again
        waiting = f"  {stage.title}: another run computes it; waiting"
        with flow.store.lock(self.key, lambda: flow.say(waiting)) as lock:
            lookup = look_up(flow, stage, flow.sharing.find, self.config, self.inputs)
            if lookup.problem:
                flow.say(one_line((f"  {lookup.problem}: {stage.name} is computed again", "yellow")))
            found = lookup.record
            try:
                record = found or self._compute(lock)
            except StillhouseError as error:
                # Prefect keeps the exception to the end of the process: without its frames, no model or
                # connection stays with it.
                cause = without_frames(error)
                raise error.with_traceback(None) from cause
        if found is not None:
            self._serve(record)
            return Completed(name="Cached", data=reference(stage, record))
        self._finished(record, "computed")
        return reference(stage, record)

    def _compute(self, lock: int) -> Record:
        flow, stage = self.flow, self.stage
        asked = canonical(self.config)
        slot = (
            nullcontext()
            if self.call.group is None or not stage.process
            else self.call.group.training(stage.title)
        )
        with slot:
            began, self.started = datetime.now(UTC), time.monotonic()  # It waited for its turn until now.
            flow.begun(self.key, stage.name, stage.label)
            run_id = flow.tracker.start(stage.title, self.call.run.mlflow_run_id, asked)
            status = "FAILED"
            try:
                with flow.store.writing(stage.name, self.key) as (output, work):
                    house = FlowHouse(flow, work, run_id, Progress(stage.name))
                    run = StageRun(self.key, output, work, stage.facts(), house)
                    metrics, launch = self._work(run, house, lock)
                    flow.check_pinned(stage.name, self.inputs)
                    keep_history(work / HISTORY_FILE, output / HISTORY_FILE)
                    files = measure_files(output)
                    record = Record(
                        schema=SCHEMA,
                        stage=stage.name,
                        version=stage.version,
                        key=self.key,
                        kind=stage.output.__name__,
                        digest=content_digest(files),
                        config=asked,
                        inputs={
                            name: InputRecord(
                                kind=type(ref).__name__, **ref.model_dump(include={"uri", "digest"})
                            )
                            for name, ref in self.inputs.items()
                        },
                        files=files,
                        metrics=metrics,
                        seed=getattr(self.config, "seed", None),
                        started=began.isoformat(),
                        finished=datetime.now(UTC).isoformat(),
                        seconds=time.monotonic() - self.started,
                        mlflow_run_id=run_id,
                        code_revision=code_revision(),
                        libraries=library_versions(),
                        hardware=hardware(),
                        machine=stage.facts(),
                        launch=launch,
                    )
                    own, record = record, flow.sharing.publish(record)
                    flow.store.commit(record)
                if record.digest != own.digest:
                    self._hit(record)
                flow.tracker.log(run_id, [(name, value, 0) for name, value in metrics.items()])
                flow.tracker.log_pictures(run_id, flow.store.folder(stage.name, self.key))
                status = "FINISHED"
            except StageStopped:
                status = "KILLED"
                raise
            finally:
                flow.outlook.ended(self.key)
                flow.tracker.end(run_id, status)
        return record

    def _work(self, run: StageRun, house: FlowHouse, lock: int) -> tuple[dict[str, float], Launch | None]:
        """Run the stage's function, here or in a process of its own."""
        stage, settings = self.stage, self.flow.settings
        if stage.process and settings.stage_processes:
            group = self.call.group
            going_on = (lambda: None) if group is None else (lambda: group.go_on(stage.title))
            return run_in_process(settings, self.call, run, house, lock, going_on)
        found = stage.function(run, self.config, **self.call.inputs)
        return {name: float(value) for name, value in found.items()}, None

    def _make_again(self) -> Record:
        """What was a hit and cannot be fetched any more, now that its files are needed. The caller holds the key."""
        self.flow.tracker.no_hit(self.key)
        record = self._compute(self.flow.store.held_lock(self.key))
        self._finished(record, "computed")
        return record

    def _hit(self, record: Record) -> None:
        """Note what was not computed here. Of a group, whose members may be other processes, its outcomes tell."""
        if self.call.group is None:
            self.flow.tracker.hit(self.call.run.mlflow_run_id, record)

    def _serve(self, record: Record) -> None:
        self.flow.store.use(record)
        self._hit(record)
        self._finished(record, "cached")
        self.flow.sharing.share(record)

    def _finished(self, record: Record, state: Any) -> None:
        outcome = StageOutcome(
            name=record.stage,
            label=self.stage.label,
            state=state,
            seconds=round(time.monotonic() - self.started, 3),
            key=record.key,
            digest=record.digest,
            cost=record.seconds,
        )
        self.flow.show(outcome)
        if self.call.group is None:
            self.flow.note(outcome)
        else:
            self.call.group.note(self.call.place, dict(outcome))  # also what no JSON of a run has
