"""What is asked of the flow that adapts a masked language model to a domain: one section a stage."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from flows.configs.flow_config import RECIPES, Made
from flows.configs.language_model import LanguageModelConfig
from infra.cli.flow_command import FlowCommand
from tasks.baselines.ngrams.config import NgramConfig
from tasks.formats.asked import Asked
from tasks.models.shape import AskedShapes
from tasks.serving.language_model.config import PublishAdaptedConfig
from tasks.training.masked_lm.config import AdaptConfig, AverageConfig, TrainingMaskingConfig

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


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
            made["whole words"] = {
                "masking": TrainingMaskingConfig(kind="whole_word", rate=config.masking.rate)
            }
        made |= {f"kept {weight:g}": {"keep_weight": weight} for weight in self.keep_weights}
        made |= {f"frozen {layers}": {"freeze_layers": layers} for layers in self.frozen_layers}
        made |= {
            f"{steps} steps": {"steps": steps, "tokens": None, "epochs": None} for steps in self.few_steps
        }
        return {name: config.model_copy(update=changed) for name, changed in made.items()}


class AdaptFlowConfig(LanguageModelConfig):
    """From a domain's text to a masked language model that has read it.

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/adapt/clinc150.yaml).
    """

    flow: ClassVar[str] = "adapt"
    default_recipe: ClassVar[str] = "clinc150"
    made: ClassVar[dict[str, Made]] = {"publish": Made("model", "-adapted")}

    ngrams: NgramConfig = Field(NgramConfig(), description="the baseline: n-grams from both sides")
    average: AverageConfig = Field(
        AverageConfig(), description="a checkpoint between the base model and the adapted one"
    )
    study: StudyConfig = Field(StudyConfig(), description="other ways to adapt, beside it")
    publish: PublishAdaptedConfig = Field(
        PublishAdaptedConfig(), description="the adapted model on the Hub: name, licence and card"
    )

    def asked_shapes(self) -> AskedShapes:
        """That of the study too."""
        asked = super().asked_shapes()
        studied = {"study.frozen_layers": max(self.study.frozen_layers, default=0)}
        return asked.model_copy(update={"layers": asked.layers | studied})


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
