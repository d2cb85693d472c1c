"""What is asked of the flow from a table to a released model: one section a stage."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from flows.configs.flow_config import RECIPES, FlowConfig
from infra.cli.flow_command import FlowCommand
from tasks.baselines.config import BaselineConfig
from tasks.compression.distillation.config import DistillConfig
from tasks.compression.distillation.embedding_bag_config import EmbeddingBagConfig
from tasks.compression.export.config import CompressConfig
from tasks.data.curation.config import CurateConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.evaluation.config import EvaluateConfig
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.latency.config import BenchmarkConfig
from tasks.models.pretrained.config import BaseModelConfig
from tasks.serving.release.config import ReleaseConfig
from tasks.tokenizers.config import TokenizerConfig
from tasks.training.fine_tuning.config import TrainConfig

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


class EndToEndConfig(FlowConfig):
    """From SQL, or from your own table, to a released small classifier.

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/end_to_end/clinc150.yaml).
    """

    flow: ClassVar[str] = "end_to_end"
    default_recipe: ClassVar[str] = "clinc150"

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    dataset: CurateConfig = Field(CurateConfig(), description="which rows are kept, and how they are split")
    publish: PublishDatasetConfig = Field(PublishDatasetConfig(), description="the data set on the Hub")
    base: BaseModelConfig = Field(BaseModelConfig(), description="the pretrained encoder")
    train: TrainConfig = Field(TrainConfig(), description="the teacher")
    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="the student's tokenizer")
    distill: DistillConfig = Field(DistillConfig(), description="the student")
    bag: EmbeddingBagConfig = Field(
        EmbeddingBagConfig(), description="the student where distill.layers is 0: token vectors, summed"
    )
    compress: CompressConfig = Field(CompressConfig(), description="ONNX, int8, parity, out-of-scope rule")
    baseline: BaselineConfig = Field(BaselineConfig(), description="TF-IDF and logistic regression")
    evaluate: EvaluateConfig = Field(EvaluateConfig(), description="scores and plots")
    benchmark: BenchmarkConfig = Field(
        BenchmarkConfig(), description="latency, throughput and size, side by side"
    )
    expected_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="share of out-of-scope texts in traffic, for every model's threshold; unset: their share of "
        "validation. A section's own expected_share is stronger",
        json_schema_extra={"often": True},
    )
    expected_share_source: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description='whose share that is, said in every table: "the tickets of May"',
    )
    gate: GateConfig = Field(GateConfig(), description="when a model may be released")
    release: ReleaseConfig = Field(ReleaseConfig(), description="name, licence and card of the release")

    @model_validator(mode="after")
    def _has_labels(self) -> "EndToEndConfig":
        if self.extract.kind == "code":
            raise ValueError(
                "files of code have no labels: expected texts with labels. `stillhouse run data` makes a corpus of them"
            )
        return self


def _flow() -> "RunnableFlow[EndToEndConfig, Any, Any]":
    from flows.end_to_end import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="end_to_end",
    description="From SQL, or your own table, to a released small classifier; what has not changed is not redone.",
    config=EndToEndConfig,
    presets=RECIPES / "end_to_end",
    load=_flow,
)
