"""What is asked of the flow that makes a language model of code from nothing: one section a stage."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

import yaml
from pydantic import Field, model_validator

from flows.configs.flow_config import RECIPES, FlowConfig, Made
from infra.cli.flow_command import FlowCommand
from infra.cli.layers import Layer, merge
from tasks.baselines.causal_ngrams.config import CausalNgramConfig
from tasks.data.curation.config import CurateCodeConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.packing.config import PackCorpusConfig
from tasks.evaluation.causal_lm.config import EvaluateCausalLmConfig
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.evaluation.memorisation.config import MemorisationConfig
from tasks.models.gpt.config import SHAPES, GptConfig, Size
from tasks.serving.language_model.config import PublishPretrainedConfig
from tasks.tokenizers.code.config import CodeTokenizerConfig, MeasureCodeTokenizerConfig
from tasks.tokenizers.code.publishing.config import PublishTokenizerConfig
from tasks.tokenizers.code.reference.config import ReferenceTokenizerConfig
from tasks.training.causal_lm.config import PretrainConfig

if TYPE_CHECKING:
    from infra.cli.flow_run import RunnableFlow

# What goes with a size: tokens of a step grow with the model, its rate falls. The large ones are for GPUs, in parts that fit.
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

    Without a query it is the recipe of the distributions that are installed here (flows/recipes/pretrain/installed.yaml).
    """

    flow: ClassVar[str] = "pretrain"
    default_recipe: ClassVar[str] = "installed"
    made: ClassVar[dict[str, Made]] = {
        "publish": Made("model", "-gpt"),
        "publish_tokenizer": Made("tokenizer", "-tokenizer"),
    }

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
    reference: ReferenceTokenizerConfig = Field(
        ReferenceTokenizerConfig(), description="the tokenizer that ours is compared with"
    )
    measure_tokenizer: MeasureCodeTokenizerConfig = Field(
        MeasureCodeTokenizerConfig(), description="how both cut the code that was held out"
    )
    pack: PackCorpusConfig = Field(PackCorpusConfig(), description="the files as tokens")
    model: GptConfig = Field(GptConfig(), description="the model before it has read anything")
    pretrain: PretrainConfig = Field(PretrainConfig(), description="the training")
    evaluate: EvaluateCausalLmConfig = Field(
        EvaluateCausalLmConfig(), description="bits a byte of what was held out"
    )
    ngrams: CausalNgramConfig = Field(
        CausalNgramConfig(), description="the baseline: n-grams of the same tokens"
    )
    completions: CompletePromptsConfig = Field(
        CompletePromptsConfig(), description="functions of held-out files, completed"
    )
    memorisation: MemorisationConfig = Field(
        MemorisationConfig(), description="what is word for word from the training text"
    )
    publish: PublishPretrainedConfig = Field(
        PublishPretrainedConfig(), description="the model on the Hub: name, licence and card"
    )
    publish_tokenizer: PublishTokenizerConfig = Field(
        PublishTokenizerConfig(), description="the tokenizer on the Hub, in a repository of its own"
    )

    @model_validator(mode="after")
    def _files_set_aside(self) -> Self:
        if self.extract.kind != "code":
            raise ValueError(f"extract.kind is {self.extract.kind}: expected code. Leave it out")
        if not self.code.file_share:
            raise ValueError(
                "code.file_share is 0: expected files that are set aside, by which the best weights are picked. Give "
                "--code.file-share 0.01"
            )
        return self

    @property
    def shared_recipe(self) -> str:
        """All that is asked as YAML, for others: of files their names alone, for folders are this machine's."""
        asked = self.model_dump(mode="json", exclude={"recipe"})
        asked["extract"]["table"] = [path.name for path in self.extract.table]
        asked["extract"]["query"] = self.extract.query.name if self.extract.query else None
        asked["code"]["decontaminate"] = [path.name for path in self.code.decontaminate]
        return yaml.safe_dump({"flow": self.flow, **asked}, sort_keys=False, allow_unicode=True)

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
