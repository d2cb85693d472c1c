"""The card of a release (`README.md`): YAML for the Hub, and text on how good it is and how to use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tasks.evaluation.comparison import compare, interval_text, ratio_text
from tasks.evaluation.gate.reasons import points
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.dataset import DatasetInfo
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.extraction import read_record
from tasks.formats.gate_verdict import GateVerdict
from tasks.formats.markdown import card_templates
from tasks.formats.published_dataset import PublishedDataset
from tasks.formats.roles import CANDIDATE
from tasks.formats.shares import quality_headings, shares_note
from tasks.inference.int8_products import DOT_PRODUCTS
from tasks.models.pretrained.hub_name import hub_id
from tasks.serving.release.config import ReleaseConfig
from tasks.serving.release.package import ReleasedModel

TEMPLATES = Path(__file__).parent / "templates"
WORST_CLASSES = 5


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says, as measured and recorded by the stages."""

    config: ReleaseConfig
    model: ReleasedModel
    verdict: GateVerdict
    evaluation: EvaluationReport
    benchmark: BenchmarkReport
    parity: Mapping[str, float]
    dataset: DatasetInfo
    published: PublishedDataset
    attributions: tuple[str, ...]
    base_model: str
    package_digest: str


def write_card(facts: CardFacts, plots: tuple[str, ...], path: Path) -> None:
    """Write the card; `plots` are image paths relative to it. The same facts give the same bytes."""
    data = card_data(facts)
    text = f"---\n{data.to_yaml()}\n---\n\n{card_text(facts, plots)}"
    ModelCard(text)  # raises ValueError when the YAML is not what the Hub reads
    path.write_text(text, encoding="utf-8")


def card_data(facts: CardFacts) -> ModelCardData:
    """The card's metadata, with the figures of the test split as a `model-index`."""
    config, scores = facts.config, facts.evaluation.scores(CANDIDATE)
    results = [
        _result(facts, "accuracy", "Accuracy", scores.accuracy),
        _result(facts, "f1", "Macro F1", scores.macro_f1),
    ]
    return ModelCardData(
        base_model=hub_id(facts.base_model),
        datasets=[facts.published.repo],
        eval_results=results,
        language=list(config.language),
        library_name="onnx",
        license=config.license,
        metrics=["accuracy", "f1"],
        model_name=config.name.split("/")[-1],
        pipeline_tag="text-classification",
        tags=["stillhouse", "onnxruntime", "int8", "distillation", *config.tags],
    )


def card_text(facts: CardFacts, plots: tuple[str, ...]) -> str:
    """The card's text in Markdown."""
    environment = card_templates(TEMPLATES)
    environment.filters["points"] = points
    environment.filters["ratio"] = ratio_text
    environment.filters["interval"] = lambda interval: interval_text(interval) or ""
    worst = sorted((c for c in facts.evaluation.per_class if c.support), key=lambda c: (c.f1, c.label))
    return environment.get_template("card.md.j2").render(
        facts=facts,
        config=facts.config,
        verdict=facts.verdict,
        candidate=CANDIDATE,
        rows=compare(facts.evaluation, facts.benchmark),
        shares=facts.evaluation.shares,
        qualities=quality_headings(facts.evaluation.shares),
        note=shares_note(facts.evaluation.shares),
        released=facts.benchmark.timing(CANDIDATE),
        scores=facts.evaluation.scores(CANDIDATE),
        worst=worst[:WORST_CLASSES],
        base_model=hub_id(facts.base_model) or "a local checkpoint",
        dot_products=not DOT_PRODUCTS.isdisjoint(facts.benchmark.cpu_flags),
        plots=plots,
        use=(TEMPLATES / "use_release.txt").read_text(encoding="utf-8"),
    )


def read_attributions(extract: Path) -> tuple[str, ...]:
    """What the licences of an extract's tables want said wherever they are used, each once."""
    tables = read_record(extract).sources
    return tuple(dict.fromkeys(table.attribution for table in tables if table.attribution))


def _result(facts: CardFacts, metric: str, name: str, value: float) -> EvalResult:
    return EvalResult(
        task_type="text-classification",
        task_name="Text classification",
        dataset_type=facts.published.repo,
        dataset_name=facts.published.repo.split("/")[-1],
        dataset_split="test",
        dataset_revision=facts.published.revision,
        metric_type=metric,
        metric_name=name,
        metric_value=round(value, 4),
    )
