"""`@stage`: a step whose artifact is computed once a key, and served from then on.

A key = sha256 of {stage, version, config, digest of each input}. Here is what a stage is; how it is looked up, computed and
shown stands in infra/engine/computing.py, which is imported at its first call: a stage's module is also imported by the
process of its own in which it may run, and that needs neither Prefect nor MLflow.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from pydantic import BaseModel, JsonValue

from infra.engine.registry import register
from infra.engine.sections import Section, declare_section
from infra.errors import ConfigError
from infra.machine.cpu import machine_facts
from infra.store.fingerprint import canonical, stage_key
from infra.store.references import ArtifactRef

Metrics = Mapping[str, float]
Output = TypeVar("Output", bound=ArtifactRef)
Inputs = ParamSpec("Inputs")
PROGRESS = "progress"


class House(Protocol):
    """What a stage's function reaches through its `StageRun`: the flow's process, or the files that one reads."""

    def path(self, ref: ArtifactRef) -> Path:
        """Where an input lies here."""

    def metrics(self, values: Metrics, step: int) -> None:
        """Keep the metrics of a step."""

    def progress(self, done: float) -> None:
        """Show how far it is, 0 to 1."""

    def say(self, line: str) -> None:
        """A line for the person at the terminal."""


@dataclass(frozen=True)
class StageRun:
    """What a stage's function sees of the house, in whatever process it runs."""

    key: str
    output_dir: Path
    work_dir: Path
    machine: JsonValue
    house: House

    def path(self, ref: ArtifactRef) -> Path:
        """Folder or file of an input; read only."""
        return self.house.path(ref)

    def say(self, line: str) -> None:
        """A line for the person at the terminal, and for Prefect's log."""
        self.house.say(line)

    def log_metrics(self, metrics: Metrics, step: int) -> None:
        """Keep metrics of a step beside the artifact and send them to MLflow. `progress` (0 to 1) goes to Prefect."""
        values = {name: float(value) for name, value in metrics.items()}
        if (done := values.pop(PROGRESS, None)) is not None:
            self.house.progress(done)
        if values:
            self.house.metrics(values, step)


class Stage(Generic[Inputs, Output]):
    """A cached step. Calling it in a flow gives the reference of its artifact."""

    def __init__(
        self,
        function: Callable[..., Metrics],
        version: int,
        output: type[Output],
        machine: bool,
        process: bool,
        distributed: bool,
    ) -> None:
        self.function, self.version, self.output, self.machine = function, version, output, machine
        self.process, self.distributed = process, distributed
        self.name = register(function, stage=True)
        self.label = ""
        self.__doc__ = function.__doc__
        self.input_names = tuple(inspect.signature(function).parameters)[2:]

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        from infra.engine.computing import call_stage

        config, inputs = self.bind(*cast(tuple[Any, ...], args), **cast(dict[str, Any], kwargs))
        return cast(Output, call_stage(self, config, inputs))

    def __reduce__(self) -> tuple[Callable[..., "Stage[..., Any]"], tuple[str, str]]:
        """By name: what another process gets is that stage as its module has it."""
        return stage_at, (self.place, self.label)

    @property
    def place(self) -> str:
        """`module:function`, where another process finds it."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @property
    def title(self) -> str:
        """As it is shown: its name and, where a flow calls it on several things, on which."""
        return f"{self.name}: {self.label}" if self.label else self.name

    def labelled(self, label: str) -> "Stage[Inputs, Output]":
        """The same stage, whose lines, task run and MLflow run say what it is called on; its key is the same."""
        # `copy.copy` asks for `__reduce__`, which leads here.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, label=label)
        return other

    def bind(self, config: BaseModel, *refs: Any, **named: Any) -> tuple[BaseModel, dict[str, Any]]:
        """Config and inputs by name. Raises ConfigError for a flow that gives others than the function takes."""
        bound = dict(zip(self.input_names, refs, strict=False)) | named
        if tuple(sorted(bound)) != tuple(sorted(self.input_names)) or len(refs) > len(self.input_names):
            raise ConfigError(
                f"{self.name} takes {list(self.input_names)}: found {sorted(bound)}. Correct the flow."
            )
        return config, {name: bound[name] for name in self.input_names}

    def key(self, config: BaseModel, inputs: Mapping[str, ArtifactRef]) -> str:
        """The cache key of these inputs, on this machine where that is part of it."""
        return stage_key(self.name, self.version, canonical(config), inputs, self.facts())

    def facts(self) -> JsonValue:
        """The facts of the machine that are in the key; None where none are."""
        return machine_facts() if self.machine else None


def flat_inputs(stage: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs by name, those of a mapping as if each were an argument of its own: so it is in keys and records.

    Raises ConfigError for an empty mapping, and for a name that is given twice.
    """
    flat: dict[str, Any] = {}
    for name, given in inputs.items():
        several = given if isinstance(given, Mapping) else {name: given}
        if not several:
            raise ConfigError(f"{stage} was given no {name}: expected one at least. Correct the flow.")
        if twice := sorted(flat.keys() & several.keys()):
            raise ConfigError(
                f"{stage} was given {', '.join(twice)} twice: expected another name for each input. Correct the flow."
            )
        flat.update(several)
    return flat


def each_input(inputs: Mapping[str, Any], take: Callable[[Any], Any]) -> dict[str, Any]:
    """The inputs by name, with what `take` makes of each, those of a mapping too."""
    return {
        name: {each: take(one) for each, one in given.items()} if isinstance(given, Mapping) else take(given)
        for name, given in inputs.items()
    }


def stage_at(place: str, label: str) -> Stage[..., Any]:
    """The stage of a place `module:function`. Raises ConfigError when there is none that another process could import."""
    try:
        found = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"the stage {place} is not found by another process ({error}): expected a function at the top of a module that "
            "can be imported. Move it into one, or set STILLHOUSE_STAGE_PROCESSES=false."
        ) from None
    if not isinstance(found, Stage):
        raise ConfigError(f"{place} is a {type(found).__name__}: expected a stage. Decorate it with @stage.")
    labelled: Stage[..., Any] = found.labelled(label)
    return labelled


def stage(
    *,
    version: int,
    output: type[Output],
    machine: bool = False,
    process: bool = False,
    distributed: bool = False,
    section: Section | None = None,
    reads: Sequence[str] = (),
) -> Callable[[Callable[Concatenate[StageRun, Inputs], Metrics]], Stage[Inputs, Output]]:
    """Make a cached stage of `function(run, config, **refs) -> metrics`.

    Raise `version` when what it computes changes. `machine`: it measures time, so that processor, usable cores and the
    versions of the runtimes are in its key. `process`: it runs in a process of its own, which can be ended, and whose memory
    is given back: for training and generation. `distributed`: that may be several processes, which share its work by
    torch.distributed. `section`: what it shows of a finished artifact, from those of its files that the patterns `reads`
    name. An input may be a reference or a mapping of names to references. Raises ConfigError when another
    function has the name.
    """

    def decorate(function: Callable[Concatenate[StageRun, Inputs], Metrics]) -> Stage[Inputs, Output]:
        made: Stage[Inputs, Output] = Stage(function, version, output, machine, process, distributed)
        declare_section(made.name, section, reads)
        return made

    return decorate
