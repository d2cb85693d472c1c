"""Several stages at once, by whatever task runner the flow has.

    with fan_out() as several:
        answers = {name: several.call(predict.labelled(name), config, model, dataset) for name, model in models.items()}
    evaluate(config, dataset, {name: answer.ref for name, answer in answers.items()})

A call may take what another call of the group will give. After the first failure nothing more starts, what runs ends, and
all failures are named. One training at a time, unless `STILLHOUSE_TRAININGS` says otherwise.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, ParamSpec, TypeVar, cast
from uuid import uuid4

from infra.machine import environment, prefect_import

environment.prepare()
prefect_import.import_prefect()

from prefect.context import FlowRunContext  # noqa: E402
from prefect.futures import PrefectFuture  # noqa: E402
from prefect.utilities.engine import (  # noqa: E402
    collect_task_run_inputs_sync,
    link_state_to_task_run_result,
)

from infra.engine.call import Group, StageCall  # noqa: E402
from infra.engine.computing import plan_stage, task_of  # noqa: E402
from infra.engine.run import FlowRun, StageOutcome, current_run  # noqa: E402
from infra.engine.stage import Stage, each_input, flat_inputs  # noqa: E402
from infra.errors import ConfigError, NotStarted, SeveralFailed, StillhouseError  # noqa: E402
from infra.files import disk_errors, make_folder  # noqa: E402
from infra.store.references import ArtifactRef  # noqa: E402

Output = TypeVar("Output", bound=ArtifactRef)
Inputs = ParamSpec("Inputs")


class Later(Generic[Output]):
    """What a call of a group will give."""

    def __init__(self, label: str, future: PrefectFuture[Any] | None) -> None:
        self.label, self.future = label, future
        self._ref: Output | None = None

    @property
    def ref(self) -> Output:
        """Its reference. Raises ConfigError while the group is under way: inside, give the call itself as an input."""
        if self._ref is None:
            raise ConfigError(
                f"{self.label} was asked for its result while its group is under way: expected that after the `with` block. "
                "Give it to another call as it is, or take `.ref` after the block."
            )
        return self._ref

    def settle(self, ref: Output) -> None:
        """It is there."""
        self._ref = ref


class Several:
    """The calls of a group, in the order in which they were asked for."""

    def __init__(self, flow: FlowRun, group: Group) -> None:
        self._flow, self._group = flow, group
        self._asked: list[Later[Any]] = []
        self._outcomes: dict[int, StageOutcome] = {}  # by place among the asked

    def call(self, stage: Stage[Inputs, Output], *args: Any, **kwargs: Any) -> Later[Output]:
        """Call a stage as soon as its inputs are there; they may be what other calls of this group will give."""
        config, inputs = stage.bind(*args, **kwargs)
        if self._flow.options.dry_run:
            planned: Later[Output] = Later(stage.title, None)
            known = flat_inputs(stage.name, _each(inputs, lambda later: later.ref))
            planned.settle(cast(Output, plan_stage(self._flow, stage, config, known)))
            return planned
        flat_inputs(stage.name, inputs)  # What is wrong with them is said now.
        waiting = _each(inputs, lambda later: later.future)
        call = StageCall(stage, config, waiting, self._flow.ids(), self._group, len(self._asked))
        later: Later[Output] = Later(stage.title, _submit(call))
        self._asked.append(later)
        return later

    def stop(self) -> None:
        """The flow itself was ended: nothing more starts."""
        if self._asked:
            self._group.stop("the run")

    def end(self) -> None:
        """Wait for all of them. Raises what failed: the error where it is one, SeveralFailed with each where they are more."""
        for later in self._asked:
            if later.future is not None:
                later.future.wait()
        self._note_outcomes()
        failed: dict[str, BaseException] = {}
        left_out = []
        for place, later in enumerate(self._asked):
            answer = cast(PrefectFuture[Any], later.future).result(raise_on_failure=False)
            if isinstance(answer, NotStarted):
                left_out.append(later.label)
            elif isinstance(answer, BaseException):
                failed[later.label] = answer
            else:
                # What came from another process has no edge in Prefect's graph yet.
                link_state_to_task_run_result(cast(PrefectFuture[Any], later.future).state, answer)
                later.settle(answer)
                self._note_hit(place, answer)
        if failed:
            raise _failure(failed, left_out)

    def _note_outcomes(self) -> None:
        for place, noted in sorted(self._group.noted().items()):
            outcome = StageOutcome(**noted)
            self._outcomes[place] = outcome
            self._flow.keys.hold(outcome.key)
            self._flow.note(outcome)

    def _note_hit(self, place: int, ref: ArtifactRef) -> None:
        record = self._flow.store.record_of(ref)
        if self._outcomes[place].state == "cached" and record is not None:
            self._flow.tracker.hit(self._flow.mlflow_run_id, record)


@contextmanager
def fan_out() -> Iterator[Several]:
    """Call stages at once inside; at the end of the block each has ended, and its result is there."""
    flow = current_run()
    folder = flow.settings.runs / f"{flow.flow_run_id or uuid4()}.group-{uuid4().hex[:8]}"
    several = Several(flow, Group(folder, flow.settings.trainings))
    if flow.options.dry_run:
        yield several
        return
    with disk_errors(folder):
        make_folder(flow.settings, folder)
    try:
        yield several
        several.end()
    except BaseException:
        several.stop()
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _submit(call: StageCall) -> PrefectFuture[Any]:
    """Hand a call to the flow's task runner, with the edges of its inputs: another process does not know where they came from.

    Raises ConfigError outside of a flow of Prefect's.
    """
    flow = FlowRunContext.get()
    if flow is None:
        raise ConfigError(
            f"{call.stage.title} was called in a group outside of a flow: expected a function decorated with Prefect's @flow."
        )
    edges: Any = {"call": collect_task_run_inputs_sync(call)}
    return cast(
        PrefectFuture[Any], flow.task_runner.submit(task_of(call.stage), {"call": call}, dependencies=edges)
    )


def _each(inputs: Mapping[str, Any], take: Callable[[Later[Any]], Any]) -> dict[str, Any]:
    """The inputs, with `take` of each that is to come."""
    return each_input(inputs, lambda given: take(given) if isinstance(given, Later) else given)


def _failure(failed: Mapping[str, BaseException], left_out: list[str]) -> BaseException:
    not_started = f" Not started: {', '.join(left_out)}." if left_out else ""
    if len(failed) == 1:
        (error,) = failed.values()
        if not_started:
            error.add_note(not_started.strip())
        return error
    first = next(iter(failed.values()))
    each = " ".join(f"{label}: {error}" for label, error in failed.items())
    several = SeveralFailed(f"{len(failed)} stages failed. {each}{not_started}")
    several.exit_code = max(
        error.exit_code if isinstance(error, StillhouseError) else 1 for error in failed.values()
    )
    several.__cause__ = first
    return several
