"""The card of an adapted language model: what the Hub reads, figures as measured, and text from data that stays text."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from infra.hub.local import LocalHub
from infra.hub.protocol import Hub
from tasks.baselines.ngrams.perplexity import NgramPerplexities
from tasks.formats.extraction import Source, SourceTable
from tasks.formats.lm_report import EvaluatedLm, Filled, GapFill, LmEvaluation
from tasks.formats.packing_report import PackedSplit, PackingReport
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.serving.language_model.card import card_text, masks_said, write_card
from tasks.serving.language_model.config import PublishAdaptedConfig
from tasks.serving.language_model.facts import AdaptedFacts, BaseModel, NewHead, ReadText
from tasks.serving.language_model.publish import assemble
from tasks.training.masked_lm.config import AdaptConfig, MaskingConfig
from tests.fakes.hub_cards import faults_of_card
from tests.security.hostile_markdown import HOSTILE, LINES, PLAIN, elements
from tests.tasks.models.tiny_encoder import VOCABULARY, tiny_config, tiny_tokenizer


def evaluated(name: str, perplexity: float, token: str = "film", text: str = "show my [MASK]") -> EvaluatedLm:
    filled = Filled(text=text, fills=(GapFill(token=token, probability=0.25),))
    counts = {"parameters": 22_744_506, "layer_parameters": 10_646_784}
    return EvaluatedLm(name=name, loss=4.0, perplexity=perplexity, filled=(filled,), **counts)


def split(documents: int, tokens: int) -> PackedSplit:
    return PackedSplit(
        documents=documents, empty=0, held_out=0, missing=0, tokens=tokens, longest=60, word_starts=None, blocks=tokens // 16,
        dropped=tokens % 16, blocks_in_thousands=tokens // 16,
    )  # fmt: skip


def read_text(digest: str = "e", source: Source | None = None) -> ReadText:
    splits = {"train": split(1568, 17_427), "validation": split(595, 6_595), "test": split(1040, 11_525)}
    table = source or SourceTable(name="reviews.jsonl.gz", digest="b" * 64, bytes=9)
    return ReadText(PackingReport(length=16, splits=splits), (table,), 64 * digest, digest * 64)


def make_facts(before: float = 90.0, after: float = 57.7, **changed: object) -> AdaptedFacts:
    facts = AdaptedFacts(
        config=PublishAdaptedConfig(name="o/imdb-adapted", title="Film reviews"),
        base=BaseModel("sentence-transformers/all-MiniLM-L6-v2", "apache-2.0", "a" * 64),
        head=NewHead(300, read_text("c", Source(name="books.jsonl", title="Gutenberg"))),
        text=read_text(),
        training=AdaptConfig(steps=170),
        trained={"steps": 170.0, "best_epoch": 2.5},
        evaluation=LmEvaluation(documents=1000, hidden=1211, models=(evaluated("plain", before), evaluated("adapted", after))),
        ngrams=NgramPerplexities(unigram=878.1, two_sided_hidden=131.2, two_sided_clean=100.3, context_hidden=1,
                                 context_clean=1, kept=1, windows=()),
        checkpoint="artifact:adapt/0123",
        digest="d" * 64,
        masks="f" * 64,
    )  # fmt: skip
    return replace(facts, **changed)  # type: ignore[arg-type]


def written(facts: AdaptedFacts, folder: Path, mask_token: str = "[MASK]") -> ModelCard:
    write_card(facts, mask_token, folder / "README.md")
    assert list(faults_of_card((folder / "README.md").read_text(), "model")) == []
    return ModelCard.load(folder / "README.md", ignore_metadata_errors=False)


def test_the_metadata_is_what_the_hub_reads(tmp_path: Path) -> None:
    data = written(make_facts(), tmp_path).data
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert (data.pipeline_tag, data.library_name, data.metrics) == (
        "fill-mask",
        "transformers",
        ["perplexity"],
    )
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value, result.dataset_split) == ("perplexity", 57.7, "test")


def test_a_licence_stands_in_it_only_where_one_was_given(tmp_path: Path) -> None:
    card = written(make_facts(), tmp_path)
    assert card.data.license is None and "No licence is stated" in card.text
    assert "The base model's card states `apache-2.0`" in card.text and "| not stated |" in card.text
    config = PublishAdaptedConfig(license="mit")
    assert written(make_facts(config=config), tmp_path).data.license == "mit"


def test_the_text_has_the_figures_the_digests_and_the_way_it_was_made() -> None:
    text = card_text(make_facts(), "[MASK]")
    assert "perplexity is **57.70**, where it was 90.00 before" in text and "no better" not in text
    for row in ("| 878.10 |", "| 131.20 |", "| 100.30 |", "| 90.00 |", "| **57.70** |"):
        assert row in text
    assert "1,211 hidden tokens of 1,000 texts" in text and "reviews.jsonl.gz" in text
    assert all(digit * 64 in text for digit in "abcdef")
    assert "17,427 tokens of other text (Gutenberg)" in text and "books.jsonl (for the head)" in text
    assert "170 of 16 blocks: 2.50 passes" in text and "by a chance of 30%" in text


def test_a_head_that_has_read_the_domain_and_one_that_came_along_are_told_apart() -> None:
    assert "the training text itself" in card_text(make_facts(head=NewHead(300, read_text())), "[MASK]")
    own = card_text(make_facts(head=None), "[MASK]")
    assert "with the head that it came with" in own and "Gutenberg" not in own


def test_what_is_no_better_is_said(tmp_path: Path) -> None:
    facts = make_facts(before=300.0, after=float("inf"))
    card = written(facts, tmp_path)
    assert "no better than what it began as" in card.text and "no better than counting" in card.text
    assert "**infinite**" in card.text and card.data.eval_results is None


def test_masks_are_said_as_they_are_drawn() -> None:
    assert masks_said(MaskingConfig()) == (
        "each token by a chance of 15%; the hidden ones are shown 80% as the mask token, 10% as a random token, 10% as they are"
    )
    assert masks_said(MaskingConfig(kind="whole_word")) == (
        "each word, with all of its tokens, by a chance of 20%; the hidden ones are shown 100% as the mask token"
    )


def card_saying(said: str) -> Counter[str]:
    """Everything that a card takes from data, a config or another's model, is called `said`."""
    table = Source(name=said, title=said, licence=said, attribution=said, url=said)
    models = tuple(evaluated(name, 9.0, said, f"{said} [MASK]") for name in ("plain", "adapted"))
    facts = make_facts(
        config=PublishAdaptedConfig(title=said, attribution=said, limits=said),
        base=BaseModel(said, "mit", "a" * 64),
        head=NewHead(300, read_text("c", table)),
        text=read_text("e", table),
        evaluation=LmEvaluation(documents=1, hidden=1, models=models),
    )
    return elements(card_text(facts, said))


def test_text_from_data_is_text_and_never_markup() -> None:
    usual = card_saying(PLAIN)
    told = {said: card_saying(said) for said in (*HOSTILE, *LINES)}
    assert {said: found - usual for said, found in told.items() if found != usual} == {}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked language model, with a milestone and a record's history beside it."""
    folder = tmp_path_factory.mktemp("made") / "model"
    MaskedLanguageModel.from_config(tiny_config(vocab_size=len(VOCABULARY))).save(folder, tiny_tokenizer())
    (folder / "milestones" / "step-00000010").mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("{}\n")
    return folder


def test_transformers_opens_what_is_published_by_the_line_of_the_card(
    checkpoint: Path, tmp_path: Path
) -> None:
    folder = assemble(make_facts(), checkpoint, tmp_path / "published")
    assert sorted(path.name for path in folder.rglob("*")) == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    opened: dict[str, object] = {}
    exec(code.replace('"o/imdb-adapted"', repr(str(folder))), opened)
    assert len(opened["fill"]("show my [MASK]", top_k=2)) == 2  # type: ignore[operator]


def test_pushed_again_nothing_changes(checkpoint: Path, tmp_path: Path) -> None:
    hub: Hub = LocalHub(tmp_path / "hub")
    pushed = [
        hub.push(
            "model", "o/m", assemble(make_facts(), checkpoint, tmp_path / name), "x", source="s"
        ).revision
        for name in ("one", "two")
    ]
    assert pushed[0] == pushed[1] == hub.main("model", "o/m") and len(hub.revisions("model", "o/m")) == 1
