"""What is asked of the flow that adapts a masked language model to a domain: one section a stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from flows.configs.flow_config import RECIPES, FlowConfig
from infra.cli.flow_command import FlowCommand
from tasks.baselines.ngrams.config import NgramConfig
from tasks.data.curation.config import CurateConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.packing.config import PackConfig
from tasks.evaluation.encoders.config import CompareEncodersConfig, FineTuneConfig, ProbeConfig
from tasks.evaluation.language_models.config import EvaluateLmConfig
from tasks.formats.asked import Asked
from tasks.models.pretrained.config import BaseModelConfig
from tasks.training.masked_lm.config import (
    AdaptConfig,
    AverageConfig,
    FrozenConfig,
    HeadConfig,
    MaskingConfig,
)

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


class GeneralTextConfig(PackConfig):
    """Text of no domain, which the head of an encoder without one is trained on; packed as the domain's is."""

    table: tuple[Path, ...] = Field(
        (),
        description="tables of it, such as books; unset: the domain's own text, so that `before` has read it with its head",
        json_schema_extra={
            "key": "ignore",
            "often": True,
        },  # its content is in the key, by the digest of the pinned tables
    )
    test_share: float = Field(
        0.0, ge=0, le=0.4, description="share set aside for test; nothing is reported of this text"
    )


class StudyConfig(Asked):
    """Other ways to adapt, each on the same blocks and with what `adapt` says but for one thing; none: no study."""

    whole_word: bool = Field(False, description="hide whole words, at the same rate, in place of tokens")
    keep_weights: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (), description="weights of keeping blocks' mean vectors"
    )
    frozen_layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="lower layers that stay as they are"
    )
    few_steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="training steps, fewer than all"
    )

    def variants(self, config: AdaptConfig) -> dict[str, AdaptConfig]:
        """What each trains with, by name."""
        made: dict[str, dict[str, object]] = {}
        if self.whole_word:
            made["whole words"] = {"masking": MaskingConfig(kind="whole_word", rate=config.masking.rate)}
        made |= {f"kept {weight:g}": {"keep_weight": weight} for weight in self.keep_weights}
        made |= {f"frozen {layers}": {"freeze_layers": layers} for layers in self.frozen_layers}
        made |= {
            f"{steps} steps": {"steps": steps, "tokens": None, "epochs": None} for steps in self.few_steps
        }
        return {name: config.model_copy(update=changed) for name, changed in made.items()}


class AdaptFlowConfig(FlowConfig):
    """From a domain's text to a masked language model that has read it.

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/adapt/clinc150.yaml).
    """

    flow: ClassVar[str] = "adapt"
    default_recipe: ClassVar[str] = "clinc150"

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    unlabelled: bool = Field(
        False,
        description="the tables hold texts alone: these are packed as they lie, without curation",
        json_schema_extra={"often": True},
    )
    dataset: CurateConfig = Field(
        CurateConfig(), description="rows with labels: which are kept, and how they are split"
    )
    base: BaseModelConfig = Field(
        BaseModelConfig(), description="the pretrained encoder, with a head or without"
    )
    pack: PackConfig = Field(PackConfig(), description="the domain's text in blocks of tokens")
    general: GeneralTextConfig = Field(
        GeneralTextConfig(), description="the text that a new head learns from"
    )
    masks: FrozenConfig = Field(FrozenConfig(), description="the masks of the evaluation")
    head: HeadConfig = Field(HeadConfig(), description="the new head of an encoder that has none")
    adapt: AdaptConfig = Field(AdaptConfig(), description="the training on the domain's text")
    ngrams: NgramConfig = Field(NgramConfig(), description="the baseline: n-grams from both sides")
    evaluate: EvaluateLmConfig = Field(EvaluateLmConfig(), description="perplexity and fills")
    average: AverageConfig = Field(
        AverageConfig(), description="a checkpoint between the base model and the adapted one"
    )
    study: StudyConfig = Field(StudyConfig(), description="other ways to adapt, beside it")
    labelled: ExtractConfig = Field(
        ExtractConfig(),
        description="rows with labels, from which classifiers of each encoder are made and compared; unset: the domain's "
        "own, where they have labels",
    )
    probe: ProbeConfig = Field(ProbeConfig(), description="linear classifiers on frozen vectors")
    fine_tune: FineTuneConfig = Field(FineTuneConfig(), description="classifiers by fine-tuning")
    compare: CompareEncodersConfig = Field(
        CompareEncodersConfig(), description="which encoder to take for how many labels"
    )


def _flow() -> "RunnableFlow[AdaptFlowConfig, Any, Any]":
    from flows.adapt import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="adapt",
    description="Adapt a masked language model to a domain's text; what has not changed is not redone.",
    config=AdaptFlowConfig,
    presets=RECIPES / "adapt",
    load=_flow,
    exit_codes="0 adapted, 2 wrong input",
)
