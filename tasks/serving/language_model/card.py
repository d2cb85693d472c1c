"""The card of an adapted language model (`README.md`): YAML for the Hub, and text on what it has read and how good it is."""

import math
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from tasks.baselines.ngrams.section import SHOWN
from tasks.evaluation.language_models.config import GAP
from tasks.formats.extraction import Source
from tasks.formats.markdown import as_code, card_templates
from tasks.serving.language_model.facts import AdaptedFacts
from tasks.training.masked_lm.config import MaskingConfig, Shares

TEMPLATES = Path(__file__).parent / "templates"


def write_card(facts: AdaptedFacts, mask_token: str, path: Path) -> None:
    """Write the card; the same facts give the same bytes. `mask_token` is what the model's own tokenizer has for a gap."""
    text = f"---\n{card_data(facts).to_yaml()}\n---\n\n{card_text(facts, mask_token)}"
    ModelCard(text)  # raises ValueError when the YAML is not what the Hub reads
    path.write_text(text, encoding="utf-8")


def card_data(facts: AdaptedFacts) -> ModelCardData:
    """The card's metadata. A licence stands there only where the config states one; a perplexity where it is a number."""
    config, perplexity = facts.config, facts.after.perplexity
    return ModelCardData(
        base_model=facts.base.hub_id,
        eval_results=[_result(perplexity)] if math.isfinite(perplexity) else None,
        language=list(config.language),
        library_name="transformers",
        license=config.license,
        metrics=["perplexity"],
        model_name=config.name.split("/")[-1],
        pipeline_tag="fill-mask",
        tags=["stillhouse", *config.tags],
    )


def card_text(facts: AdaptedFacts, mask_token: str) -> str:
    """The card's text in Markdown."""
    environment = card_templates(TEMPLATES)
    environment.filters |= {"perplexity": perplexity_text, "tables": _tables}
    example = facts.after.filled[0].text.replace(GAP, mask_token)
    return environment.get_template("language_model_card.md.j2").render(
        facts=facts,
        base=facts.base.hub_id or "a local checkpoint",
        head=facts.head,
        example=python_text(example),
        gaps=list(zip(facts.before.filled, facts.after.filled, strict=True)),
        sees=dict(SHOWN),
        zip=zip,
        frozen_said=masks_said(MaskingConfig()),
        training_said=masks_said(facts.training.masking),
    )


def perplexity_text(value: float) -> str:
    """Two places; a word for what no float can hold."""
    return f"{value:,.2f}" if math.isfinite(value) else "infinite"


def masks_said(masking: MaskingConfig) -> str:
    """How masks are drawn, in words."""
    shares: Shares = masking.shares
    each = "token" if masking.kind == "token" else "word, with all of its tokens,"
    rest = 1 - shares.mask - shares.random
    shown = [(shares.mask, "as the mask token"), (shares.random, "as a random token"), (rest, "as they are")]
    parts = ", ".join(f"{share:.0%} {how}" for share, how in shown if share > 1e-9)
    return f"each {each} by a chance of {shares.rate:.0%}; the hidden ones are shown {parts}"


def python_text(text: str) -> str:
    """A text as a literal of Python that ends no block of code: one line, without back-ticks."""
    return ascii(as_code(text))


def _tables(sources: Sequence[Source]) -> list[dict[str, str]]:
    """A row a table: its name, what it is, its licence and, where it was pinned as a file, its sha256."""
    return [
        {
            "name": source.name,
            "what": " ".join(part for part in (source.title, source.url) if part),
            "licence": source.licence or "not stated",
            "digest": getattr(source, "digest", ""),
        }
        for source in sources
    ]


def _result(perplexity: float) -> EvalResult:
    return EvalResult(
        task_type="fill-mask",
        task_name="Masked language modelling",
        dataset_type="text",
        dataset_name="hidden tokens of the test split",
        dataset_split="test",
        metric_type="perplexity",
        metric_name="Perplexity",
        metric_value=round(perplexity, 4),
    )
