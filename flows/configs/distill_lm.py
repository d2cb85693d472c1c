"""What is asked of the flow that distils a masked language model: one section a stage."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, model_validator

from flows.configs.flow_config import RECIPES
from flows.configs.language_model import LanguageModelConfig
from infra.cli.flow_command import FlowCommand
from tasks.compression.distillation.language_model.config import DistillLmConfig
from tasks.data.curation.config import CurateConfig
from tasks.evaluation.encoders.config import FineTuneConfig, PanelConfig
from tasks.evaluation.latency.config import BodiesConfig
from tasks.models.shape import AskedShapes

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow


class DistillLmFlowConfig(LanguageModelConfig):
    """From a masked language model to one of half its layers that has read text beside it.

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/distill_lm/clinc150.yaml).
    """

    flow: ClassVar[str] = "distill_lm"
    default_recipe: ClassVar[str] = "clinc150"

    adapted: bool = Field(
        False,
        description="the base model is the teacher as it is, such as artifact:adapt/KEY; otherwise it reads the text first, as "
        "`flows.adapt` has it do",
        json_schema_extra={"often": True},
    )
    distill: DistillLmConfig = Field(
        DistillLmConfig(), description="the student, and what it learns from its teacher"
    )
    random: bool = Field(
        True, description="distil a student that begins with random weights as well, to compare with"
    )
    ablate: bool = Field(
        False, description="distil without each term of the loss as well, one after the other"
    )
    panel: tuple[Path, ...] = Field(
        (),
        description="more tables of rows with labels (see extract.table), on which every model is fine-tuned alike",
        json_schema_extra={
            "key": "ignore",
            "often": True,
        },  # their content is in keys, by the pinned tables' digests
    )
    panel_rows: CurateConfig = Field(
        CurateConfig(),
        description="which of the panel's rows are kept",
        json_schema_extra={"seldom": True},
    )
    fine_tune: FineTuneConfig = Field(
        FineTuneConfig(labels=(2000,)), description="the fine-tuning that every model of the panel gets"
    )
    scores: PanelConfig = Field(PanelConfig(), description="the score over the panel")
    bodies: BodiesConfig = Field(BodiesConfig(), description="how latencies are taken")

    @model_validator(mode="after")
    def _tables_told_apart(self) -> Self:
        names = [str(self.name), *self.panel_names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"the panel has {', '.join(twice)} twice: expected tables of other names than each other's and the run's "
                f"({self.name}). Rename one, or give --name"
            )
        return self

    @property
    def panel_names(self) -> tuple[str, ...]:
        """What the panel's tables are called, after their files."""
        return tuple(table.name.partition(".")[0] for table in self.panel)

    def asked_shapes(self) -> AskedShapes:
        """The student's layers too."""
        asked = super().asked_shapes()
        students = {"distill.student.layers (counted from 1)": max(self.distill.student.layers or (-1,)) + 1}
        return asked.model_copy(update={"layers": asked.layers | students})

    @property
    def from_random(self) -> DistillLmConfig:
        """The same training of a student with fresh weights."""
        begun = self.distill.student.model_copy(update={"begin": "random"})
        return self.distill.model_copy(update={"student": begun})

    @property
    def ablations(self) -> dict[str, DistillLmConfig]:
        """The training without each of its terms, by name; none where they are not asked for, or there is one term alone."""
        terms = {"masked_lm": "mlm_weight", "kl": "kl_weight", "cosine": "cosine_weight"}
        used = [name for name in self.distill.weights if self.ablate and len(self.distill.weights) > 1]
        return {
            f"without {name.replace('_', ' ')}": self.distill.model_copy(update={terms[name]: 0.0})
            for name in used
        }


def _flow() -> "RunnableFlow[DistillLmFlowConfig, Any, Any]":
    from flows.distill_lm import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="distill_lm",
    description="Distil a masked language model in pre-training; what has not changed is not redone.",
    config=DistillLmFlowConfig,
    presets=RECIPES / "distill_lm",
    load=_flow,
    exit_codes="0 distilled, 2 wrong input",
)
