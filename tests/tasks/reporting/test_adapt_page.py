"""The page of a run that adapts a language model: its figures are there, and tokens stay text."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from tasks.formats.section import Passage, Piece, Section
from tasks.reporting.adapt_page import adapt_headline, adapt_section
from tasks.reporting.adapt_summary import Adapted, AdaptSummary, blocks_read
from tasks.reporting.adapt_table import print_adapted
from tasks.reporting.html import LANGUAGE_MODELS, render_report
from tasks.reporting.html import Page as Told
from tasks.reporting.summary import schema_text
from tests.conftest import ROOT
from tests.tasks.reporting.adapted import MARKUP, PUBLISHED, found, run_of
from tests.tasks.reporting.test_html import Page

SCHEMA = ROOT / "docs" / "adapt-report.schema.json"
PASSAGE = Passage(
    title="Block 7, random tokens",
    pieces=(
        Piece(text="¶", mark="seam"), Piece(text="[MASK]", over=MARKUP, mark="hidden"), Piece(text=MARKUP, joined=True),
        Piece(text="猫猫猫", over="кот", mark="swapped"), Piece(text="مرحبا"), Piece(text="[SEP]", mark="soft"),
    ),
)  # fmt: skip


def page_of(told: Adapted, folder: Path) -> str:
    sections = (Section(title="What the model sees", passages=(PASSAGE,)),)
    before = (adapt_section(told, PUBLISHED),)
    page = Told("adapt imdb", run_of(told), adapt_headline(told), before, sections, styles=LANGUAGE_MODELS)
    return render_report(page, folder / "report.html").read_text(encoding="utf-8")


def test_the_page_says_what_came_of_it_first(tmp_path: Path) -> None:
    source = page_of(found(), tmp_path)
    page = Page(source)
    for text in (
        "Better than before and than n-grams", "374.4 before, 47.1 after reading 40,000 blocks of 128 tokens", "131.2",
        "18,034 hidden tokens of 1,000 texts", "156,250", "step 2,500", "46.9", "artifact:adapt/ed4a2840", "878.00", "100.40",
        "local/imdb-adapted", "This is a great [MASK].", "deal 0.38 · , 0.28", "movie 0.38", "61 s in all",
    ):  # fmt: skip
        assert text in page.text, text
    titles = [data["id"] for tag, data in page.tags if tag == "section"]
    assert titles == ["part-1", "stage-1", "lineage", "times", "asked"]


def test_tokens_stay_text_wherever_they_stand(tmp_path: Path) -> None:
    page = Page(page_of(found(), tmp_path))
    assert "script" not in {tag for tag, _ in page.tags} and page.text.count(MARKUP) == 3
    marks = [data["class"] for tag, data in page.tags if tag in ("ruby", "span") and data.get("class")]
    assert [mark for mark in marks if mark != "meter"] == ["seam", "hidden", " joined", "swapped", "soft"]
    assert (
        f"[MASK]{MARKUP}{MARKUP} 猫猫猫кот مرحبا [SEP]" in page.text
    )  # what is joined has no blank before it


@pytest.mark.parametrize(
    ("told", "verdict", "mark", "bad"),
    [
        (found(), "Better than before and than n-grams of what it read", "pass", [False, False]),
        (found(ngram=40.0), "Better than before, not than n-grams", "unsure", [False, True]),
        (found(before=47.06), "Not better than before", "fail", [True, False]),
        (found(after=math.inf), "Not better than before", "fail", [True, True]),
    ],
)
def test_what_is_not_better_is_not_called_so(
    told: Adapted, verdict: str, mark: str, bad: list[bool], tmp_path: Path
) -> None:
    headline = adapt_headline(told)
    assert (headline.verdict, headline.mark, [tile.bad for tile in headline.tiles[:2]]) == (
        verdict,
        mark,
        bad,
    )
    assert "nan" not in page_of(told, tmp_path)


def test_weights_that_no_step_bettered_are_those_it_began_with() -> None:
    perplexity = found().perplexity.model_copy(update={"curve": ((0, 40.0), (10, 60.0)), "best": 40.0})
    tile = adapt_headline(found().model_copy(update={"perplexity": perplexity})).tiles[-1]
    assert (tile.figure, tile.hint) == ("step 0", "as they were: perplexity on validation 40.0")


@pytest.mark.parametrize(("steps", "read"), [(0, 0), (2, 32), (3, 40), (4, 56), (6, 80)])
def test_blocks_read_know_of_the_short_step_that_ends_a_pass(steps: int, read: int) -> None:
    assert blocks_read(steps, batch_size=16, blocks=40) == read


def test_the_terminal_has_the_same_table_and_the_page_to_open() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_adapted(run_of(found()), console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    for text in ("47.06", "131.20", "deal 0.38", PUBLISHED.path, "/home/reports/1/report.html", "took"):
        assert text in printed, text


def test_the_committed_schema_is_current() -> None:
    remedy = "run .venv/bin/python -m tasks.reporting.adapt_summary > docs/adapt-report.schema.json"
    assert SCHEMA.read_text(encoding="utf-8").rstrip() == schema_text(AdaptSummary), remedy
