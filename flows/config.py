"""What is asked of the flows: one section a stage.

Presets and recipes are layers of the same fields, in flows/recipes.
"""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import to_jsonable_python

from infra.store.references import Pending
from infra.errors import ConfigError
from infra.cli.layers import given, merge, read_layer, section_of
from tasks.base_model.config import BaseModelConfig
from tasks.baseline.config import BaselineConfig
from tasks.benchmark.config import BenchmarkConfig, TimingConfig
from tasks.compress.config import CompressConfig
from tasks.dataset.config import CurateCodeConfig, CurateConfig, PublishDatasetConfig
from tasks.deploy.config import GateConfig, ReleaseConfig
from tasks.distill.bag_config import BagConfig
from tasks.distill.config import DistillConfig
from tasks.evaluate.config import EvaluateConfig
from tasks.extract.config import ExtractConfig
from tasks.planning.defaults import GivenSizes, Plan
from tasks.planning.shape import AskedShapes
from tasks.search.config import BudgetConfig, SearchConfig
from tasks.search.values import Choice
from tasks.tokenizer.config import TokenizerConfig
from tasks.train.config import TrainConfig

RECIPES = Path(__file__).parent / "recipes"
COMPRESS_RECIPES = RECIPES / "compress"
DEFAULT_RECIPE = "clinc150"
Section = TypeVar("Section", bound=BaseModel)


class EndToEndConfig(BaseModel):
    """From SQL, or from your own table, to a released small classifier.

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/clinc150.yaml).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    dataset: CurateConfig = Field(CurateConfig(), description="which rows are kept, and how they are split")
    publish: PublishDatasetConfig = Field(PublishDatasetConfig(), description="the data set on the Hub")
    base: BaseModelConfig = Field(BaseModelConfig(), description="the pretrained encoder")
    train: TrainConfig = Field(TrainConfig(), description="the teacher")
    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="the student's tokenizer")
    distill: DistillConfig = Field(DistillConfig(), description="the student")
    bag: BagConfig = Field(
        BagConfig(), description="the student where distill.layers is 0: token vectors, summed"
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
        description="share of out-of-scope texts in traffic, for every model's threshold; unset: the weighted share in "
        "validation. A section's own expected_share is stronger",
    )
    gate: GateConfig = Field(GateConfig(), description="when a model may be released")
    release: ReleaseConfig = Field(ReleaseConfig(), description="name, licence and card of the release")

    @model_validator(mode="before")
    @classmethod
    def _recipe_below(cls, asked: Any) -> Any:
        return _with_default_recipe(cls, asked)

    @model_validator(mode="after")
    def _has_labels(self) -> "EndToEndConfig":
        if self.extract.kind == "code":
            raise ValueError(
                "files of code have no labels: expected texts with labels. `python -m flows.data` makes a corpus of them"
            )
        return self


class DataFlowConfig(BaseModel):
    """From SQL, or from your own table, to a published data set: texts with labels, or files of code (extract.kind).

    Without a query and a table it is the recipe of an assistant's intents, CLINC150 (flows/recipes/clinc150.yaml).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: ExtractConfig = Field(ExtractConfig(), description="which rows, from where")
    dataset: CurateConfig = Field(
        CurateConfig(), description="texts with labels: which are kept, and how they are split"
    )
    code: CurateCodeConfig = Field(
        CurateCodeConfig(), description="files of code: which are kept, and how they are split"
    )
    publish: PublishDatasetConfig = Field(PublishDatasetConfig(), description="the data set on the Hub")

    @model_validator(mode="before")
    @classmethod
    def _recipe_below(cls, asked: Any) -> Any:
        """A recipe of a flow that goes on to a model is taken as far as this flow goes."""
        if not isinstance(asked, dict):
            return asked
        beyond = set(CompressFlowConfig.model_fields) - set(cls.model_fields)
        whole = _with_default_recipe(cls, asked)
        return {name: value for name, value in whole.items() if name not in beyond}


class CompressFlowConfig(EndToEndConfig):
    """The smallest student inside a budget, or the most accurate of those tried."""

    search: SearchConfig = Field(SearchConfig(), description="students that are tried")
    budget: BudgetConfig = Field(BudgetConfig(), description="what the model may cost")
    timing: TimingConfig = Field(TimingConfig(), description="how the latency of a trial is taken")


def _with_default_recipe(config: type[BaseModel], asked: Any) -> Any:
    """What is given, the default recipe below it where that names neither a query nor a table.

    A form that nobody touched posts every default of a section: that gives nothing, and the recipe's section is taken.
    """
    if not isinstance(asked, dict):
        return asked
    said = given(config, asked)
    extract = said.get("extract", {})
    if not isinstance(extract, dict) or extract.get("query") or extract.get("table"):
        return said
    touched = {name: value for name, value in said.items() if not _untouched(config, name, value)}
    if "extract" in touched:  # no table is not a table
        touched["extract"] = {
            name: value for name, value in extract.items() if name not in ("query", "table")
        }
    return merge([read_layer(RECIPES / f"{DEFAULT_RECIPE}.yaml"), touched])


def _untouched(config: type[BaseModel], name: str, value: Any) -> bool:
    """Whether a section is given in full, as it stands without anybody's doing."""
    field = config.model_fields.get(name)
    section = None if field is None else section_of(field)
    if field is None or section is None:
        return False
    default = given(section, field.get_default(call_default_factory=True).model_dump())
    return bool(to_jsonable_python(value) == to_jsonable_python(default))


def choice_of(config: EndToEndConfig) -> Choice:
    """The student that `end_to_end` would make: what a search tries first."""
    distill = config.distill
    layers = _set(distill.layers, "distill.layers")
    section, trained = ("distill", distill) if layers else ("bag", config.bag)
    return Choice(
        layers=layers,
        intermediate_size=_set(distill.intermediate_size, "distill.intermediate_size") if layers else 0,
        vocabulary_size=_set(config.tokenizer.vocabulary_size, "tokenizer.vocabulary_size"),
        epochs=_set(trained.epochs, f"{section}.epochs"),
        alpha=trained.alpha,
        temperature=trained.temperature,
        embedding_rank=(distill.embedding_rank or 0) if layers else 0,
        weights=config.compress.weights,
    )


def asked_shapes(config: EndToEndConfig) -> AskedShapes:
    """The deepest and the widest student that a run may make."""
    distill = config.distill
    layers = {"distill.layers": distill.layers or 0}
    units = {"distill.intermediate_size": distill.intermediate_size or 0}
    if isinstance(config, CompressFlowConfig):
        layers["search.layers"] = max(config.search.layers)
        units["search.intermediate_size"] = max(config.search.intermediate_size)
    return AskedShapes(layers=layers, intermediate_size=units)


def with_choice(config: EndToEndConfig, choice: Choice) -> EndToEndConfig:
    """The config of one student of a search."""
    trained = choice.model_dump(include={"epochs", "alpha", "temperature"})
    shape: dict[str, int | None] = {"layers": choice.layers}
    if choice.layers:
        shape |= {
            "intermediate_size": choice.intermediate_size,
            "embedding_rank": choice.embedding_rank or None,
        }
    return config.model_copy(update={
        "distill": config.distill.model_copy(update=trained | shape),
        "bag": config.bag.model_copy(update=trained),
        "tokenizer": config.tokenizer.model_copy(update={"vocabulary_size": choice.vocabulary_size}),
        "compress": config.compress.model_copy(update={"weights": choice.weights}),
    })  # fmt: skip


def _set(value: int | None, name: str) -> int:
    if value is None:
        raise ConfigError(f"{name} is not set: expected a number. Give it, or let the data choose.")
    return value


def given_sizes(config: EndToEndConfig) -> GivenSizes:
    """Sizes that were set by hand, or by a recipe."""
    distill = config.distill
    return GivenSizes(
        max_length=config.train.max_length,
        teacher_epochs=config.train.epochs,
        student_epochs=distill.epochs,
        student_layers=distill.layers,
        intermediate_size=distill.intermediate_size,
        vocabulary_size=config.tokenizer.vocabulary_size,
        augmented_copies=distill.augment.copies,
    )


def apply_plan(config: EndToEndConfig, plan: Plan | Pending) -> EndToEndConfig:
    """Fill the sizes that were left to the data; one that was set by hand stays. A dry run may have no data yet."""
    if isinstance(plan, Pending):
        return config
    train = _filled(config.train, epochs=plan.teacher_epochs, max_length=plan.max_length)
    augment = _filled(config.distill.augment, copies=plan.augmented_copies)
    # A student cannot be asked for more than its teacher has seen.
    cut = min(plan.max_length, train.max_length or plan.max_length)
    distill = _filled(
        config.distill,
        epochs=plan.student_epochs,
        layers=plan.student_layers,
        intermediate_size=plan.intermediate_size,
        max_length=cut,
    )
    return config.model_copy(
        update={
            "train": train,
            "distill": distill.model_copy(update={"augment": augment}),
            "bag": _filled(config.bag, max_length=cut),
            "tokenizer": _filled(config.tokenizer, vocabulary_size=plan.vocabulary_size),
            **_same_share(config),
        }
    )


def _same_share(config: EndToEndConfig) -> dict[str, BaseModel]:
    """Every model's out-of-scope threshold is chosen for the same traffic."""
    share = config.expected_share
    predict = _filled(config.evaluate.predict, expected_share=share)
    return {
        "compress": _filled(config.compress, expected_share=share),
        "baseline": _filled(config.baseline, expected_share=share),
        "evaluate": config.evaluate.model_copy(update={"predict": predict}),
    }


def _filled(section: Section, **sizes: float | None) -> Section:
    missing = {name: size for name, size in sizes.items() if getattr(section, name) is None}
    return section.model_copy(update=missing)
