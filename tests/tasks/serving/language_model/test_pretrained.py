"""A model of code as it is published: a card with its figures, text from data that stays text, the recipe, the same bytes."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from infra.errors import ArtifactError
from infra.files import folder_digest
from tasks.formats.report_file import write_report
from tasks.serving.language_model.config import PublishPretrainedConfig
from tasks.serving.language_model.pretrained import PretrainedFacts, assemble_pretrained, card_data, card_text
from tests.fakes.hub_cards import faults_of_card
from tests.security.hostile_markdown import HOSTILE, LINES, PLAIN, elements
from tests.tasks.models.tiny_causal_lm import write_causal_lm
from tests.tasks.pretrained import PARTS, completions, corpus, evaluation, memorised, ngrams, write_reports

RECIPE = "flow: pretrain\nsize: small\n"


def make_facts(**changed: object) -> PretrainedFacts:
    facts = PretrainedFacts(
        config=PublishPretrainedConfig(name="o/code-gpt", title="Code of twelve repositories"),
        recipe=RECIPE,
        model=evaluation().models[0],
        context=256,
        ngrams=ngrams(),
        completions=completions(),
        memorised=memorised(),
        corpus=corpus(),
        trained={"tokens": 73_000_000.0},
        checkpoint="artifact:pretrain/0123",
        digest="d" * 64,
        revision="abc123",
    )
    return replace(facts, **changed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, with a milestone and a record's history beside it."""
    folder = write_causal_lm(tmp_path_factory.mktemp("made") / "model")
    (folder / "milestones" / "step-00000010").mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("{}\n")
    return folder


def test_the_hub_reads_the_card_and_its_figure(checkpoint: Path, tmp_path: Path) -> None:
    path = assemble_pretrained(make_facts(), checkpoint, tmp_path / "published") / "README.md"
    assert list(faults_of_card(path.read_text(encoding="utf-8"), "model")) == []
    data = ModelCard.load(path, ignore_metadata_errors=False).data
    assert (data.pipeline_tag, data.library_name, data.language) == (
        "text-generation",
        "transformers",
        ["code"],
    )
    assert data.tags == ["stillhouse", "code"] and data.license is None
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("bits_per_byte", 1.1)


def test_transformers_opens_what_is_published_by_the_lines_of_the_card(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = assemble_pretrained(make_facts(), checkpoint, tmp_path / "published")
    assert sorted(path.name for path in folder.rglob("*")) == [
        "README.md", "config.json", "model.safetensors", "recipe.yaml", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert (folder / "recipe.yaml").read_text() == RECIPE
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    capsys.readouterr()
    exec(code.replace('"o/code-gpt"', repr(str(folder))), {})
    assert capsys.readouterr().out.startswith("<|quality_high|>def read_lines(path):")


def test_the_same_facts_give_the_same_bytes(checkpoint: Path, tmp_path: Path) -> None:
    folders = [assemble_pretrained(make_facts(), checkpoint, tmp_path / name) for name in ("one", "two")]
    assert folder_digest(folders[0]) == folder_digest(folders[1])


def test_the_text_has_the_figures_and_the_way_it_was_made() -> None:
    text = card_text(make_facts())
    for said in (
        "5,322,240 parameters", "73,000,000 tokens of it", "It reads 256 tokens",
        "| files | 1.600 | 1.200 | **1.000** | 0.920 |", "| org/unseen | 1.600 | 1.200 | **1.150** |",
        "| mean of the repositories | 1.600 | 1.200 | **1.100** | |",
        "Of 200 signatures", "| model | 55% | 97% |", "| fresh weights | 0% | 0% |", "is 83 tokens; 1.5% of the",
        "have a run of 50 or more", "| apache-2.0 | 20,000 |", "18,000 files were learned from", "at revision `abc123`",
        "python -m flows.pretrain --config recipe.yaml", "`artifact:pretrain/0123`", "d" * 64, "No licence is stated",
        "one of `<|quality_low|>`, `<|quality_medium|>`, `<|quality_high|>`, and ends with `<|endoftext|>`",
    ):  # fmt: skip
        assert said in text, said


def test_a_licence_and_a_mean_stand_there_only_where_there_is_one() -> None:
    config = PublishPretrainedConfig(license="mit", tags=("mine",))
    assert card_data(make_facts(config=config)).license == "mit"
    assert "Licence of the model: `mit`." in card_text(make_facts(config=config))
    assert card_data(make_facts(config=config)).tags == ["stillhouse", "code", "mine"]
    alone = make_facts(model=evaluation(parts=("files",)).models[0], ngrams=ngrams(parts=("files",)))
    assert card_data(alone).eval_results is None and "mean of the repositories" not in card_text(alone)
    endless = make_facts(model=evaluation(model=float("inf")).models[0])
    assert card_data(endless).eval_results is None and "**inf**" in card_text(endless)


def card_saying(said: str) -> Counter[str]:
    """Everything that a card takes from data or a config is called `said`."""
    config = PublishPretrainedConfig(title=said, attribution=said, limits=said)
    parts = (*PARTS[:2], said)
    rows = completions().rows
    named = (rows[0].model_copy(update={"name": said}), *rows[1:])
    facts = make_facts(
        config=config,
        model=evaluation(parts=parts).models[0],
        ngrams=ngrams(parts=parts),
        completions=completions().model_copy(update={"rows": named}),
        corpus=corpus(licence=said),
        checkpoint=said,
    )
    return elements(card_text(facts))


def test_text_from_data_is_text_and_never_markup() -> None:
    usual = card_saying(PLAIN)
    told = {said: card_saying(said) for said in (*HOSTILE, *LINES)}
    assert {said: found - usual for said, found in told.items() if found != usual} == {}


def test_facts_are_read_from_the_stages_folders(tmp_path: Path) -> None:
    folders = write_reports(tmp_path)
    wanted = make_facts()
    made = (wanted.checkpoint, wanted.digest, wanted.revision)
    read = PretrainedFacts.read(wanted.config, RECIPE, folders, folders["corpus"], wanted.trained, made)
    assert read == wanted
    write_report(folders["completions"], completions("other"))
    other = PretrainedFacts.read(wanted.config, RECIPE, folders, folders["corpus"], wanted.trained, made)
    with pytest.raises(ArtifactError, match="no model named 'model' in the report"):
        card_text(other)


def test_a_damaged_checkpoint_is_not_published(checkpoint: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.mkdir()
    for path in checkpoint.glob("*.*"):
        (cut / path.name).write_bytes(path.read_bytes()[: 900 if path.suffix == ".safetensors" else None])
    with pytest.raises(ArtifactError):
        assemble_pretrained(make_facts(), cut, tmp_path / "published")
    assert not (tmp_path / "published").exists()
