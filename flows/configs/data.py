"""What is asked of the flow that makes a data set: one section a stage."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from flows.configs.compress import CompressFlowConfig
from flows.configs.flow_config import RECIPES, FlowConfig
from infra.cli.flow_command import FlowCommand
from infra.cli.layers import Layer
from tasks.data.curation.config import CurateCodeConfig, CurateConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.publishing.config import PublishDatasetConfig

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


class DataFlowConfig(FlowConfig):
    """From SQL, or from your own table, to a published data set: texts with labels, or files of code (extract.kind).

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/data/clinc150.yaml).
    """

    flow: ClassVar[str] = "data"
    default_recipe: ClassVar[str] = "clinc150"

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    dataset: CurateConfig = Field(
        CurateConfig(), description="texts with labels: which are kept, and how they are split"
    )
    code: CurateCodeConfig = Field(
        CurateCodeConfig(), description="files of code: which are kept, and how they are split"
    )
    publish: PublishDatasetConfig = Field(PublishDatasetConfig(), description="the data set on the Hub")

    @classmethod
    def _below(cls, said: Layer) -> Layer:
        """A config of a flow that goes on to a model is taken as far as this flow goes."""
        beyond = set(CompressFlowConfig.model_fields) - set(cls.model_fields)
        return {name: value for name, value in super()._below(said).items() if name not in beyond}


def _flow() -> "RunnableFlow[DataFlowConfig, Any, Any]":
    from flows.data import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="data",
    description="From SQL, or your own table, to a published data set; what has not changed is not redone.",
    config=DataFlowConfig,
    presets=RECIPES / "data",
    load=_flow,
    exit_codes="0 published, 2 wrong input",
)
