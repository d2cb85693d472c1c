"""A language model of code as it goes to the Hub: what transformers opens, a card, and the recipe that makes it again.

Neither the code that it has read nor its milestones lie there: those are commits of their own.
"""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tasks.formats.causal_lm_report import MeasuredCausalLm, read_causal_lm_evaluation
from tasks.formats.causal_ngram_report import CausalNgramReport, read_causal_ngrams
from tasks.formats.code_tokens import SPECIAL_TOKENS
from tasks.formats.completion_report import CompletionReport, read_completions
from tasks.formats.corpus import CorpusInfo, load_corpus
from tasks.formats.markdown import card_templates
from tasks.formats.memorisation_report import MemorisationReport, read_memorisation
from tasks.formats.report_file import named
from tasks.models.pretrained.files import check_model_folder
from tasks.serving.language_model.config import PublishPretrainedConfig

TEMPLATES = Path(__file__).parent / "templates"
RECIPE = "recipe.yaml"
TRAINED = "model"  # what the flow calls it in its reports


@dataclass(frozen=True)
class PretrainedFacts:
    """Everything that the card says."""

    config: PublishPretrainedConfig
    recipe: str
    model: MeasuredCausalLm
    context: int
    ngrams: CausalNgramReport
    completions: CompletionReport
    memorised: MemorisationReport
    corpus: CorpusInfo
    trained: Mapping[str, float]
    checkpoint: str
    digest: str
    revision: str

    @classmethod
    def read(
        cls,
        config: PublishPretrainedConfig,
        recipe: str,
        reports: Mapping[str, Path],
        corpus: Path,
        trained: Mapping[str, float],
        made: tuple[str, str, str],
    ) -> Self:
        """From the stages' folders; `made` is the checkpoint's address, its digest and the revision of the code.

        Raises ArtifactError when a report is missing, or does not have the model.
        """
        evaluation = read_causal_lm_evaluation(reports["evaluation"])
        return cls(
            config,
            recipe,
            named(evaluation.models, TRAINED),
            evaluation.context,
            read_causal_ngrams(reports["ngrams"]),
            read_completions(reports["completions"]),
            read_memorisation(reports["memorisation"]),
            load_corpus(corpus),
            trained,
            *made,
        )


def assemble_pretrained(facts: PretrainedFacts, model: Path, output: Path) -> Path:
    """Lay the checkpoint in `model` out in the new folder `output` and give it back; same inputs, same bytes.

    Raises ArtifactError when the checkpoint is damaged.
    """
    files = check_model_folder(model)
    output.mkdir(parents=True)
    for path in files:
        place = output / path.relative_to(model)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, place)
    (output / RECIPE).write_text(facts.recipe, encoding="utf-8")
    text = f"---\n{card_data(facts).to_yaml()}\n---\n\n{card_text(facts)}"
    ModelCard(text)  # raises ValueError when the YAML is not what the Hub reads
    (output / "README.md").write_text(text, encoding="utf-8")
    return output


def card_data(facts: PretrainedFacts) -> ModelCardData:
    """The card's metadata. A licence stands there only where the config states one; bits a byte where they are a number."""
    config, mean = facts.config, facts.model.mean
    told = mean is not None and math.isfinite(mean)
    return ModelCardData(
        eval_results=[_result(mean)] if told and mean is not None else None,
        language=list(config.language),
        library_name="transformers",
        license=config.license,
        model_name=config.name.split("/")[-1],
        pipeline_tag="text-generation",
        tags=["stillhouse", "code", *config.tags],
    )


def card_text(facts: PretrainedFacts) -> str:
    """The card's text in Markdown."""
    return (
        card_templates(TEMPLATES)
        .get_template("pretrained_card.md.j2")
        .render(
            facts=facts,
            special=SPECIAL_TOKENS,
            written=named(facts.completions.rows, TRAINED),
            copied=named(facts.memorised.origins, TRAINED),
            recipe=RECIPE,
        )
    )


def _result(mean: float) -> EvalResult:
    return EvalResult(
        task_type="text-generation",
        task_name="Causal language modelling",
        dataset_type="code",
        dataset_name="repositories of which nothing was read",
        dataset_split="test",
        metric_type="bits_per_byte",
        metric_name="Bits a byte",
        metric_value=round(mean, 4),
    )
