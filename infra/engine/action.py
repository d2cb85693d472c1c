"""`@action`: a step that runs each time and is idempotent by digest, such as pinning a source, pushing, reporting."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pydantic import BaseModel, JsonValue

from infra.machine import environment, prefect_import

environment.prepare()
prefect_import.import_prefect()

from prefect import task  # noqa: E402
from prefect.cache_policies import NO_CACHE  # noqa: E402

from infra.engine.registry import register  # noqa: E402
from infra.engine.run import FlowRun, PlanLine, current_run  # noqa: E402
from infra.files import disk_errors  # noqa: E402
from infra.settings import Settings  # noqa: E402
from infra.store.artifacts import Store  # noqa: E402
from infra.store.fingerprint import stage_key  # noqa: E402
from infra.store.record import Record  # noqa: E402
from infra.store.references import ArtifactRef, Pending  # noqa: E402
from infra.tracking.tracker import Tracker  # noqa: E402

Value = TypeVar("Value", bound=BaseModel)
Pinned = TypeVar("Pinned", bound=ArtifactRef)
Inputs = ParamSpec("Inputs")


@dataclass(frozen=True)
class ActionRun:
    """What an action's function sees of the house."""

    settings: Settings
    store: Store
    tracker: Tracker
    flow: FlowRun
    name: str
    version: int

    @property
    def report_dir(self) -> Path:
        """Where the report of this run lies."""
        return self.settings.reports / (self.flow.flow_run_id or "local")

    def source(self, asked: JsonValue, **inputs: ArtifactRef) -> str:
        """Key of what this action makes from these: what stands already under it need not be made again."""
        return stage_key(self.name, self.version, asked, inputs)

    def pin(self, ref: Pinned, digest: Callable[[], str]) -> Pinned:
        """The reference of an input outside the store; `digest` is taken again by each stage that has read it."""
        self.flow.pin(ref, digest)
        return ref

    def path(self, ref: ArtifactRef) -> Path:
        """Folder or file of a reference."""
        return self.store.path(ref)

    def part(self, ref: ArtifactRef, *names: str) -> Path:
        """Folder of an artifact of the store with the named of its files: from the shared store these alone come."""
        record = self.record(ref)
        return self.path(ref) if record is None else self.store.part(record, names)

    def record(self, ref: ArtifactRef) -> Record | None:
        """How an artifact came to be; None for what lies outside the store."""
        return self.store.record_of(ref)

    def bytes(self, ref: ArtifactRef) -> int:
        """Of all files of an artifact; 0 for what lies outside the store."""
        record = self.record(ref)
        return sum(file.size for file in record.files.values()) if record else 0

    def places(self) -> dict[str, str]:
        """Where the UIs show this run, or how to open them."""
        services = environment.running_services(self.settings)
        if services is None:
            return {"UIs": "stillhouse up"}
        prefect = services.prefect_api_url.removesuffix("/api")
        return {
            "Prefect": f"{prefect}/runs/flow-run/{self.flow.flow_run_id}",
            "MLflow": self.tracker.page(self.flow.mlflow_run_id),
        }


def action(
    *, version: int = 1, dry_run: bool = False
) -> Callable[[Callable[Concatenate[ActionRun, Inputs], Value]], Callable[Inputs, Value]]:
    """Make an uncached, idempotent step of `function(run, config, ...)`; with `dry_run` it also runs in a dry run.

    Raise `version` when what it makes from the same inputs changes.
    """

    def decorate(function: Callable[Concatenate[ActionRun, Inputs], Value]) -> Callable[Inputs, Value]:
        name = register(function)

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
