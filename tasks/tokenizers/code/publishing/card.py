"""The card of a tokenizer of code (`README.md`): YAML for the Hub, and text on what it learned from and how it cuts code."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from tasks.formats.code_tokens import END_OF_TEXT, SPECIAL_TOKENS
from tasks.formats.corpus import CorpusInfo
from tasks.formats.markdown import card_templates
from tasks.formats.tokenizer_report import LearnedTokenizer, TokenizerReport
from tasks.tokenizers.code.publishing.config import PublishTokenizerConfig

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class TokenizerFacts:
    """Everything that the card says; `tokenizer` and `dataset` are the digests of what it is about and was learned from."""

    config: PublishTokenizerConfig
    learned: LearnedTokenizer
    measured: TokenizerReport
    corpus: CorpusInfo
    tokenizer: str
    dataset: str


def write_card(facts: TokenizerFacts, path: Path) -> None:
    """Write the card; the same facts give the same bytes."""
    config = facts.config
    data = ModelCardData(
        language=list(config.language),
        library_name="transformers",
        license=config.license,
        tags=["stillhouse", "tokenizer", "code", *config.tags],
    )
    text = (
        card_templates(TEMPLATES)
        .get_template("tokenizer_card.md.j2")
        .render(
            facts=facts,
            ours=facts.measured.tokenizers[0],
            others=facts.measured.tokenizers[1:],
            special=SPECIAL_TOKENS,
            end=END_OF_TEXT,
        )
    )
    card = f"---\n{data.to_yaml()}\n---\n\n{text}"
    ModelCard(card)  # raises ValueError when the YAML is not what the Hub reads
    path.write_text(card, encoding="utf-8")
