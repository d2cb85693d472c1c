"""What is asked of the flow that makes a language model of code from nothing: one section a stage."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from flows.configs.flow_config import RECIPES, FlowConfig, Made
from infra.cli.flow_command import FlowCommand
from infra.cli.layers import Layer, merge
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.packing.config import PackCorpusConfig
from tasks.evaluation.causal_lm.config import EvaluateCausalLmConfig
from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.tokenizers.code.config import CodeTokenizerConfig
from tasks.training.causal_lm.config import PretrainConfig

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow

# What goes with a size: tokens of a step grow with the model, its rate falls. The large ones are for GPUs, in parts that fit one.
TRAINING: dict[Size, Layer] = {
    "nano": {"batch_size": 32, "learning_rate": 1e-2},
    "small": {"batch_size": 16, "learning_rate": 5e-3},
    "base": {"batch_size": 192, "learning_rate": 2e-3, "micro_batch_size": 12},
    "xl": {
        "batch_size": 512,
        "learning_rate": 6e-4,
        "micro_batch_size": 4,
        "gradient_checkpointing": True,
    },
}


class PretrainFlowConfig(FlowConfig):
    """From files of code to a language model that was begun from nothing.

    Without a query it is the recipe of the Python distributions that are installed here (flows/recipes/pretrain/installed.yaml).
    """

    flow: ClassVar[str] = "pretrain"
    default_recipe: ClassVar[str] = "installed"
    made: ClassVar[dict[str, Made]] = {}

    size: Size = Field(
        "small",
        description="nano, small, base or xl: a GPT-2 of about 1M, 5M, 110M or 1.5B parameters, with a vocabulary, a batch and "
        "a rate that go with it; each of them may be given as well",
        json_schema_extra={"often": True},
    )
    extract: ExtractConfig = Field(ExtractConfig(kind="code"), description="which files, from where")
    code: CurateCodeConfig = Field(
        CurateCodeConfig(), description="which of them are kept, and what is held out"
    )
    tokenizer: CodeTokenizerConfig = Field(CodeTokenizerConfig(), description="the vocabulary")
    pack: PackCorpusConfig = Field(PackCorpusConfig(), description="the files as tokens")
    model: GptConfig = Field(GptConfig(), description="the model before it has read anything")
    pretrain: PretrainConfig = Field(PretrainConfig(), description="the training")
    evaluate: EvaluateCausalLmConfig = Field(
        EvaluateCausalLmConfig(), description="bits a byte of what was held out"
    )

    @classmethod
    def _below(cls, said: Layer) -> Layer:
        """What goes with the size lies below everything that is said."""
        found = super()._below(said)
        size = found.get("size") or cls.model_fields["size"].default
        if size not in SHAPES:
            return found  # it is refused, and said once
        sized: Layer = {
            "extract": {"kind": "code"},
            "tokenizer": {"vocabulary_size": SHAPES[size].vocabulary},
            "model": {"size": size},
            "pretrain": TRAINING[size],
        }
        return merge([sized, found])


def _flow() -> "RunnableFlow[PretrainFlowConfig, Any, Any]":
    from flows.pretrain import RUNNABLE

    return RUNNABLE


COMMAND = FlowCommand(
    name="pretrain",
    description="Train a language model of code from nothing; what has not changed is not redone.",
    config=PretrainFlowConfig,
    presets=RECIPES / "pretrain",
    load=_flow,
    exit_codes="0 trained, 2 wrong input",
)
