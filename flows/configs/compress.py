"""What is asked of the flow that searches for the smallest student: one section a stage, the search and its budget."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from flows.configs.end_to_end import EndToEndConfig
from flows.configs.flow_config import RECIPES
from flows.configs.sizes import with_value
from infra.cli.flow_command import FlowCommand
from infra.errors import ConfigError
from tasks.evaluation.latency.config import TimingConfig
from tasks.models.shape import AskedShapes
from tasks.search.config import PARAMETERS, BudgetConfig, SearchConfig
from tasks.search.trial_parameters import TrialParameters

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


class CompressFlowConfig(EndToEndConfig):
    """The smallest student inside a budget, or the most accurate of those tried.

    Without a query and a table it is the recipe of an assistant's intents (flows/recipes/compress/clinc150_small.yaml).
    """

    flow: ClassVar[str] = "compress"
    default_recipe: ClassVar[str] = "clinc150_small"

    search: SearchConfig = Field(SearchConfig(), description="students that are tried")
    budget: BudgetConfig = Field(BudgetConfig(), description="what the model may cost")
    timing: TimingConfig = Field(TimingConfig(), description="how the latency of a trial is taken")


def trial_parameters_of(config: EndToEndConfig) -> TrialParameters:
    """The student that `end_to_end` would make: what a search tries first."""
    own: dict[str, Any] = {}
    for name, parameter in PARAMETERS.items():
        section = parameter.section if config.distill.layers else parameter.of_bag
        value = 0 if section is None else getattr(getattr(config, section), name)
        own[name] = parameter.unset if value is None else value
        if own[name] is None:
            raise ConfigError(
                f"{section}.{name} is not set: expected a number. Give it, or let the data choose."
            )
    return TrialParameters(**own)


def asked_shapes(config: EndToEndConfig) -> AskedShapes:
    """The deepest and the widest student that a run may make."""
    distill = config.distill
    layers = {"distill.layers": distill.layers or 0}
    units = {"distill.intermediate_size": distill.intermediate_size or 0}
    if isinstance(config, CompressFlowConfig):
        layers["search.layers"] = max(config.search.layers)
        units["search.intermediate_size"] = max(config.search.intermediate_size)
    return AskedShapes(layers=layers, intermediate_size=units)


def with_trial_parameters(config: EndToEndConfig, choice: TrialParameters) -> EndToEndConfig:
    """The config of one student of a search."""
    for name, parameter in PARAMETERS.items():
        if choice.layers or parameter.of_bag:
            value = getattr(choice, name)
            for section in {parameter.section, parameter.of_bag} - {None}:
                config = with_value(config, f"{section}.{name}", None if value == parameter.unset else value)
    return config


def _flow() -> "RunnableFlow[CompressFlowConfig, Any, Any]":
    from flows.compress import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="compress",
    description="Searches the smallest student inside a budget, or the most accurate, and releases it.",
    config=CompressFlowConfig,
    presets=RECIPES / "compress",
    load=_flow,
)
