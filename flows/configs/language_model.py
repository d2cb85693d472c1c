"""What is asked of flows that make masked language models: the text, the base model, the masks, and the rows with labels."""

from pathlib import Path

from pydantic import Field, model_validator

from flows.configs.flow_config import FlowConfig
from tasks.data.curation.config import CurateConfig
from tasks.data.extraction.config import ExtractConfig
from tasks.data.packing.config import PackConfig
from tasks.evaluation.encoders.config import CompareEncodersConfig, FineTuneConfig, ProbeConfig
from tasks.evaluation.language_models.config import EvaluateLmConfig
from tasks.models.pretrained.config import BaseModelConfig
from tasks.models.shape import AskedShapes
from tasks.training.masked_lm.config import AdaptConfig, FrozenConfig, HeadConfig


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


class LanguageModelConfig(FlowConfig):
    """Text, packed; a base model, with a head; an adapted one; and by what they are measured."""

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    unlabelled: bool = Field(
        False,
        description="the tables hold texts alone: these are packed as they lie, without curation (rows with labels, by which "
        "encoders are compared: --labelled.table)",
        json_schema_extra={"often": True},
    )
    dataset: CurateConfig = Field(
        CurateConfig(), description="rows with labels: which are kept, and how they are split"
    )
    labelled: ExtractConfig = Field(
        ExtractConfig(),
        description="rows with labels, from which classifiers of each encoder are made and compared; unset: the domain's "
        "own, where they have labels",
        json_schema_extra={"seldom": True},
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
    evaluate: EvaluateLmConfig = Field(EvaluateLmConfig(), description="perplexity and fills")
    probe: ProbeConfig = Field(ProbeConfig(), description="linear classifiers on frozen vectors")
    fine_tune: FineTuneConfig = Field(FineTuneConfig(), description="classifiers by fine-tuning")
    compare: CompareEncodersConfig = Field(
        CompareEncodersConfig(), description="which encoder to take for how many labels"
    )

    @model_validator(mode="after")
    def _reads_what_is_given(self) -> "LanguageModelConfig":
        if self.extract.kind == "code":
            raise ValueError(
                "extract.kind is code: expected labelled, whose texts are curated here. `stillhouse run data` makes a corpus "
                "of code"
            )
        if self.unlabelled and self.extract.query is not None:
            raise ValueError(
                f"unlabelled is true, and the rows are those of the query {self.extract.query.name}: expected tables alone, "
                "which are packed as they lie. Give --extract.table FILE, or leave unlabelled away"
            )
        return self

    def asked_shapes(self) -> AskedShapes:
        """What is wanted of the base model."""
        frozen = {
            "adapt.freeze_layers": self.adapt.freeze_layers,
            "head.freeze_layers": self.head.freeze_layers,
        }
        lengths = {"pack.length": self.pack.length}
        if self.general.table:
            lengths["general.length"] = self.general.length
        return AskedShapes(layers=frozen, positions=lengths)
